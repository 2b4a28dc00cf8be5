// Bundles src/ into dist/, for Node 20: the program as a CommonJS file, commands of every day as one each, the
// library as ES modules.
// Measured on Node 20: loading the program's hot path as ES modules costs 17 ms more than as one CommonJS file, since every
// module and every built-in one goes through the asynchronous loader. A lazy import inside the file is still run only when it is reached.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
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

/** Modules of Node's that bring streams and sockets with them, 3 to 5 ms: a program loads them at the first use, if there is one. */
const heavy = /^node:(net|tty|child_process)$/;

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
  plugins: [late()],
};
const whole = await build({ ...program, outfile: join(dist, 'main.cjs') });
const quick = [];
for (const name of daily) quick.push(await build({ ...program, outfile: join(dist, `${name}.cjs`), plugins: [late(), only(name)] }));
const library = await build({
  ...common,
  entryPoints: [join(top, 'src/index.ts')],
  outdir: dist,
  entryNames: '[name]',
  chunkNames: '[name]-[hash]',
  splitting: true,
  format: 'esm',
});

const outputs = {
  ...whole.metafile.outputs,
  ...Object.assign({}, ...quick.map((one) => one.metafile.outputs)),
  ...library.metafile.outputs,
};
const made = new Set(Object.keys(outputs).map((path) => path.slice('dist/'.length)));
for (const name of old) if (!made.has(name)) rmSync(join(dist, name));

console.log(`bundle: ${made.size} files, run ${kib(outputs['dist/run.cjs'].bytes)}, all ${kib(outputs['dist/main.cjs'].bytes)}`);
for (const name of daily) {
  const { bytes } = outputs[`dist/${name}.cjs`];
  if (bytes > dailyLimit) fail(`"${name}" is larger than ${kib(dailyLimit)}: let it load less, or take it out of the list in bin/rootless`);
}
remember();
declare();

/** A program of one command: bin/rootless never starts it for another. */
function only(name) {
  const setup = (plugin) => {
    plugin.onResolve({ filter: /^\.\/.*\.ts$/ }, ({ path, importer, kind }) => {
      const isCommand = kind === 'dynamic-import' && importer.endsWith('/cli/commands.ts');
      return isCommand && path !== `./${name}.ts` ? { path, namespace: 'left-out' } : undefined;
    });
    plugin.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({ contents: '' }));
  };
  return { name: 'only', setup };
}

/** In the place of a heavy module one with the same members, each of which asks for it. */
function late() {
  const setup = (plugin) => {
    plugin.onResolve({ filter: heavy }, ({ path, kind }) => (kind === 'import-statement' ? { path, namespace: 'late' } : undefined));
    plugin.onLoad({ filter: heavy, namespace: 'late' }, ({ path }) => {
      const names = JSON.stringify(Object.keys(createRequire(import.meta.url)(path)));
      const member = `Object.defineProperty(exports, name, { enumerable: true, get: () => require('${path}')[name] })`;
      return { contents: `for (const name of ${names}) ${member};` };
    });
  };
  return { name: 'late', setup };
}

/**
 * Compiles the hot path of each program once for all later starts, in a throwaway home with a few containers. A machine that cannot run
 * containers still keeps what came before the refusal.
 */
function remember() {
  const home = mkdtempSync(join(tmpdir(), 'build-'));
  const env = { ...process.env, HOME: home, ROOTLESS_DATA: join(home, 'data'), XDG_RUNTIME_DIR: home };
  const front = join(dist, 'rootless-helper');
  const hot = {
    run: ['run', '--rm', '--quiet', '--network', 'none', 'embedded:hello', 'true'],
    create: ['create', '--quiet', '--network', 'none', '--name', 'first', 'embedded:hello'],
    exec: ['exec', 'running', 'true'],
    ps: ['ps', '--all'],
    start: ['start', 'first'],
    stop: ['stop', 'first'],
    rm: ['rm', 'first'],
    logs: ['logs', 'running'],
    kill: ['kill', 'first'],
    wait: ['wait', 'first'],
    images: ['images'],
    main: ['inspect', 'running'],
  };
  try {
    for (const [name, command] of Object.entries(hot)) {
      if (name === 'exec') pretendToRun(env, join(home, 'data/store/containers'));
      const args = [join(top, 'scripts/code-cache.cjs'), name, JSON.stringify(command)];
      const [program, more] =
        existsSync(front) && ['run', 'exec'].includes(name) ? [front, ['front', '--', ...args]] : [process.execPath, args];
      const run = spawnSync(program, more, { env, stdio: 'ignore', timeout: 60_000 });
      // A front does not wait for a command line that it needs no more.
      if (!appears(join(dist, `${name}-${process.version}-${process.arch}.cache`)))
        fail(`the compiled code of "${name}" could not be kept (scripts/code-cache.cjs, ${run.status})`);
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function appears(path) {
  for (let waited = 0; waited < 10_000; waited += 20) {
    if (existsSync(path)) return true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
  return false;
}

/** A container that this process claims to watch: `exec` gets as far as its socket, which is not there. */
function pretendToRun(env, folder) {
  const create = [join(dist, 'main.cjs'), 'create', '--quiet', '--network', 'none', '--name', 'running', 'embedded:hello'];
  const id = spawnSync(process.execPath, create, { env, encoding: 'utf8', timeout: 60_000 }).stdout.trim();
  if (!/^[0-9a-f]{64}$/.test(id)) return;
  const fields = readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ');
  const me = { pid: process.pid, startTime: fields[19], bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim() };
  const status = { status: 'running', monitor: me, ...me, started: new Date().toISOString(), restarts: 0 };
  writeFileSync(join(folder, id, 'status.json'), JSON.stringify(status));
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
