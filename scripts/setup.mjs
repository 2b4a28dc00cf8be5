// All set-up between a clean clone and a working dist/: npm packages, system packages, helper, embedded image, bundle.
// Uses only Node's own modules, because nothing else is installed yet; each step is skipped while its inputs are unchanged.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { explainPackages, installPackages } from './packages.mjs';

export const top = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');
const dist = join(top, 'dist');

/**
 * Brings dist/ up to date.
 * @param {readonly (readonly string[])[]} packages rows of packages.mjs that must, or with `optional` should, be there
 */
export function setUp(packages, { optional = false, force = false } = {}) {
  const begun = performance.now();
  checkNode();
  const done = [npmPackages(force), systemPackages(packages, optional), helper(force), embeddedImage(force), bundle(force)];
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  console.log(done.some(Boolean) ? `set-up done in ${seconds} s` : `set-up is up to date (${seconds} s)`);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  stop(`Node ${process.versions.node} is too old: 20.19 or newer is needed`);
}

/** Only what the linter and the unit tests need. */
export function setUpNpm() {
  checkNode();
  npmPackages(false);
}

function npmPackages(force) {
  const stamp = join(top, 'node_modules/.rootless-stamp');
  const hash = hashOf(['package.json', 'package-lock.json']);
  if (!force && current(stamp, hash)) return false;
  return step('npm packages', () => {
    if (!force || !existsSync(stamp)) run('npm', ['ci', '--no-progress', '--loglevel=error']);
    writeFileSync(stamp, hash);
  });
}

function systemPackages(packages, optional) {
  const missing = installPackages(packages);
  if (missing.length === 0) return false;
  console.log(`not installed, and not root to install ${missing.length === 1 ? 'it' : 'them'}:\n${explainPackages(missing)}`);
  if (!optional) stop('install the packages above, then run this again');
  return false;
}

/** Native helper, hello program and both WebAssembly builds; the script prints what it takes and keeps its own cache. */
function helper(force) {
  const stamp = join(dist, '.helper-stamp');
  const hash = hashOf(['helper-rs', 'scripts/build-helper.sh'], /\.(rs|toml|lock|sh|c|json)$/);
  const outputs = ['rootless-helper', 'hello'].map((name) => join(dist, name));
  if (!force && current(stamp, hash) && outputs.every((path) => existsSync(path))) return false;
  return step('helper, native and WebAssembly (the first time takes minutes)', () => {
    mkdirSync(dist, { recursive: true });
    rmSync(stamp, { force: true });
    run('bash', [join(top, 'scripts/build-helper.sh')]);
    writeFileSync(stamp, hash);
  });
}

function embeddedImage(force) {
  const stamp = join(dist, 'images/.stamp');
  const hash = hashOf(['dist/hello', 'scripts/embedded-image.mjs']);
  if (!force && current(stamp, hash)) return false;
  return step('embedded image', () => {
    run(process.execPath, [join(top, 'scripts/embedded-image.mjs')]);
    writeFileSync(stamp, hash);
  });
}

function bundle(force) {
  const stamp = join(dist, '.bundle-stamp');
  const hash = hashOf(['src', 'scripts/build.mjs', 'package-lock.json', 'helper-rs/pkg/package.json'], /\.(ts|mjs|json|js)$/);
  if (!force && current(stamp, hash) && existsSync(join(dist, 'main.cjs'))) return false;
  return step('bundle', () => {
    rmSync(stamp, { force: true });
    run(process.execPath, [join(top, 'scripts/build.mjs')]);
    writeFileSync(stamp, hash);
  });
}

function step(name, work) {
  const begun = performance.now();
  console.log(`- ${name}`);
  work();
  console.log(`  ${name.replace(/ \(.*\)/, '')}: ${((performance.now() - begun) / 1000).toFixed(1)} s`);
  return true;
}

function run(program, args) {
  const result = spawnSync(program, args, { cwd: top, stdio: ['ignore', 'inherit', 'inherit'] });
  if (result.error) stop(`cannot run ${program}: ${result.error.message}`);
  if (result.status !== 0) stop(`${program} ${args.join(' ')} failed (see above)`);
}

function stop(message) {
  console.error(`setup: ${message}`);
  process.exit(1);
}

function current(stamp, hash) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === hash;
}

/** One hash over names and contents of files, and of files below folders whose name matches. */
export function hashOf(paths, pattern = /./) {
  const hash = createHash('sha256');
  for (const path of paths) add(hash, path, pattern, true);
  return hash.digest('hex');
}

function add(hash, path, pattern, named) {
  const full = join(top, path);
  if (!existsSync(full)) return;
  const entries = listFolder(full);
  if (entries === undefined) {
    if (named || pattern.test(path)) hash.update(`${path}\0`).update(readFileSync(full)).update('\0');
    return;
  }
  for (const entry of entries) if (entry !== 'target' && entry !== 'pkg') add(hash, join(path, entry), pattern, false);
}

function listFolder(path) {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    if (error.code === 'ENOTDIR') return undefined;
    throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setUp([], { force: process.argv.includes('--force') });
