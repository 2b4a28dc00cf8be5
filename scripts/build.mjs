// Bundles src/ into dist/: ESM for Node 20, one chunk a lazy import, all flat because paths.ts takes its own folder as dist/.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const top = fileURLToPath(new URL('..', import.meta.url));
const dist = join(top, 'dist');
/** The entry is read and compiled before anything else can happen: it must stay small. Bytes. */
const entryLimit = 24 * 1024;

const entryPoints = ['main', 'index'].map((name) => join(top, 'src', `${name}.ts`)).filter((path) => existsSync(path));
mkdirSync(dist, { recursive: true });
const old = readdirSync(dist).filter((name) => name.endsWith('.js'));

const { metafile } = await build({
  entryPoints,
  outdir: dist,
  entryNames: '[name]',
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'eof',
  metafile: true,
  logLevel: 'warning',
  absWorkingDir: top,
});

const made = new Set(Object.keys(metafile.outputs).map((path) => path.slice('dist/'.length)));
for (const name of old) if (!made.has(name)) rmSync(join(dist, name));

const entry = startUpBytes(metafile.outputs, 'dist/main.js');
console.log(`bundle: ${made.size} files, ${kib(entry)} loaded at start`);
if (entry > entryLimit)
  fail(`the entry loads ${kib(entry)} at start, more than ${kib(entryLimit)}: import lazily in src/main.ts or src/cli/index.ts`);
if (existsSync(join(top, 'src/index.ts'))) declare();

/** Bytes of a chunk and of everything that it imports statically. */
function startUpBytes(outputs, path, seen = new Set()) {
  const chunk = outputs[path];
  if (chunk === undefined || seen.has(path)) return 0;
  seen.add(path);
  const below = chunk.imports
    .filter((one) => one.kind === 'import-statement')
    .map((one) => startUpBytes(outputs, one.path, seen));
  return below.reduce((sum, bytes) => sum + bytes, chunk.bytes);
}

/** Type declarations of the library's public face. */
function declare() {
  const types = join(dist, 'types');
  rmSync(types, { recursive: true, force: true });
  const flags = ['--ignoreConfig', '--declaration', '--emitDeclarationOnly', '--outDir', types, '--rootDir', 'src'];
  const language = ['--target', 'es2023', '--module', 'nodenext', '--strict', '--skipLibCheck', '--types', 'node'];
  const strict = [
    '--allowImportingTsExtensions',
    '--exactOptionalPropertyTypes',
    '--verbatimModuleSyntax',
    '--noUncheckedIndexedAccess',
  ];
  const tsc = join(top, 'node_modules/.bin/tsc');
  const run = spawnSync(tsc, [...flags, ...language, ...strict, 'src/index.ts'], { cwd: top, stdio: 'inherit' });
  if (run.status !== 0) fail('the type declarations of src/index.ts could not be made');
}

function kib(bytes) {
  return `${(bytes / 1024).toFixed(1)} KiB`;
}

function fail(message) {
  console.error(`build: ${message}`);
  process.exit(1);
}
