// Bundles src/ into dist/, for Node 20: the program as a CommonJS file (twice: all of it, and the commands of every day), the library as
// ES modules.
// Measured on Node 20: loading the program's hot path as ES modules costs 17 ms more than as one CommonJS file, since every
// module and every built-in one goes through the asynchronous loader. A lazy import inside the file is still run only when it is reached.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const top = fileURLToPath(new URL('..', import.meta.url));
const dist = join(top, 'dist');
/** A program is compiled before anything else can happen, 0.03 ms a kilobyte: commands of every day get one of their own. */
const dailyLimit = 384 * 1024;
/** bin/rootless knows which they are, since it has to choose. */
const daily = /^var daily = '([a-z ]+)'/m.exec(readFileSync(join(top, 'bin/rootless'), 'utf8'))[1].split(' ');

mkdirSync(dist, { recursive: true });
const old = readdirSync(dist).filter((name) => /\.(c?js|map|cache)$/.test(name));

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  minify: true,
  legalComments: 'eof',
  metafile: true,
  logLevel: 'warning',
  absWorkingDir: top,
};
const program = {
  ...common,
  entryPoints: [join(top, 'src/main.ts')],
  format: 'cjs',
  // For the stacks of --debug.
  sourcemap: 'linked',
  sourcesContent: false,
  // wasm-pack's way to find its own file is never taken: the bytes are handed in.
  define: { 'import.meta.dirname': '__dirname', 'import.meta.url': '""' },
  // What is loaded late is required too: an import() would start the other loader.
  supported: { 'dynamic-import': false },
};
const whole = await build({ ...program, outfile: join(dist, 'main.cjs') });
const quick = await build({ ...program, outfile: join(dist, 'daily.cjs'), plugins: [{ name: 'daily', setup: leaveOut }] });
const library = await build({
  ...common,
  entryPoints: [join(top, 'src/index.ts')],
  outdir: dist,
  entryNames: '[name]',
  chunkNames: '[name]-[hash]',
  splitting: true,
  format: 'esm',
});

const outputs = { ...whole.metafile.outputs, ...quick.metafile.outputs, ...library.metafile.outputs };
const made = new Set(Object.keys(outputs).map((path) => path.slice('dist/'.length)));
for (const name of old) if (!made.has(name)) rmSync(join(dist, name));

const { bytes } = outputs['dist/daily.cjs'];
console.log(`bundle: ${made.size} files, daily commands ${kib(bytes)}, all ${kib(outputs['dist/main.cjs'].bytes)}`);
if (bytes > dailyLimit) fail(`the daily commands are larger than ${kib(dailyLimit)}: take one out of the list in bin/rootless`);
remember('daily', ['run', '--rm', '--quiet', '--network', 'none', '--dry-run', 'embedded:hello'], ['ps', '--all']);
remember('main', ['info'], ['inspect', 'nothing']);
declare();

/** Commands that are not daily are not in the daily program: bin/rootless never starts it for them. */
function leaveOut(plugin) {
  plugin.onResolve({ filter: /^\.\/.*\.ts$/ }, ({ path, importer, kind }) => {
    const isCommand = kind === 'dynamic-import' && importer.endsWith('/cli/commands.ts');
    return isCommand && !daily.includes(path.slice('./'.length, -'.ts'.length)) ? { path, namespace: 'left-out' } : undefined;
  });
  plugin.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: '' }));
}

/** Compiles the hot paths once for all later starts. A machine that cannot run containers still caches what came before the refusal. */
function remember(name, ...commands) {
  const home = mkdtempSync(join(tmpdir(), 'build-'));
  const env = { ...process.env, HOME: home, ROOTLESS_DATA: join(home, 'data'), XDG_RUNTIME_DIR: home };
  const args = [join(top, 'scripts/code-cache.cjs'), name, JSON.stringify(commands)];
  const run = spawnSync(process.execPath, args, { env, stdio: 'ignore', timeout: 60_000 });
  rmSync(home, { recursive: true, force: true });
  if (run.status !== 0) fail('the compiled code could not be kept (scripts/code-cache.cjs)');
}

/** Type declarations of the library's public face. */
function declare() {
  const types = join(dist, 'types');
  rmSync(types, { recursive: true, force: true });
  const flags = ['--ignoreConfig', '--declaration', '--emitDeclarationOnly', '--outDir', types, '--rootDir', 'src'];
  const language = ['--target', 'es2023', '--module', 'nodenext', '--strict', '--skipLibCheck', '--types', 'node'];
  const strict = ['--allowImportingTsExtensions', '--exactOptionalPropertyTypes', '--verbatimModuleSyntax', '--noUncheckedIndexedAccess'];
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
