// Test files: each is bundled, then run in its own Node process with a time limit. A file passes only if uvu's summary says so
// and counts at least the tests that its source registers: a file that forgets `.run()` or ends early cannot pass.
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { top } from '../setup.mjs';
import { describe, killAll, markName, processesOf } from './hung.mjs';
import { Watch } from './watch.mjs';

/** Of this run alone: two may go on at the same time. */
export const bundles = join(top, `.cache/test-${process.pid}`);
process.once('exit', () => rmSync(bundles, { recursive: true, force: true }));

/** Bundles the test files of some stages whose name has one of the words (no words: all) and that `wanted` takes. */
export async function bundleTests(stages, words, wanted = () => true) {
  const { build } = await import('esbuild');
  rmSync(bundles, { recursive: true, force: true });
  mkdirSync(bundles, { recursive: true });
  const files = stages.flatMap((stage) =>
    testFiles(stage).map((name) => ({ stage, name, source: join('test', stage, `${name}.test.ts`) })),
  );
  const named = files.filter(({ stage, name }) => words.length === 0 || words.some((word) => `${stage}/${name}`.includes(word)));
  const picked = named.filter(wanted);
  await build({
    entryPoints: picked.map(({ source }) => join(top, source)),
    outdir: bundles,
    outbase: join(top, 'test'),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: 'inline',
    logLevel: 'warning',
    banner: { js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);" },
  });
  return picked.map((file) => ({ ...file, bundle: join(bundles, file.stage, `${file.name}.test.mjs`) }));
}

export function testFiles(stage) {
  const names = readdirSync(join(top, 'test', stage)).filter((name) => name.endsWith('.test.ts'));
  return names.map((name) => name.slice(0, -'.test.ts'.length)).sort();
}

/**
 * Runs files, two at a time; those in `alone` by themselves at the end.
 * `launch` turns a bundle's path into [program, args, env]; the default is this Node with this environment.
 */
export async function runFiles(tally, files, { seconds, label = '', launch = plain, alone = [] }) {
  if (files.length === 0) return;
  console.log(`${files[0].stage}${label}`);
  const together = files.filter(({ name }) => !alone.includes(name));
  const worker = async () => {
    for (let file = together.shift(); file !== undefined; file = together.shift()) await runFile(tally, file, seconds, label, launch);
  };
  await Promise.all([worker(), worker()]);
  for (const file of files.filter(({ name }) => alone.includes(name))) await runFile(tally, file, seconds, label, launch);
}

function plain(bundle) {
  return [process.execPath, [bundle], process.env];
}

async function runFile(tally, file, seconds, label, launch) {
  const begun = performance.now();
  const { output, end } = await spawnFile(launch(file.bundle), seconds);
  judge(tally, file, output, end, (performance.now() - begun) / 1000, label);
}

/** Reads what a file printed; `end` is `exit 0` when its process ended well. */
export function judge(tally, file, output, end, took, label = '') {
  const name = `${file.stage}/${file.name}${label}`;
  const count = (word) => Number(new RegExp(`^\\s*${word}:\\s+(\\d+)\\s*$`, 'm').exec(output)?.[1] ?? Number.NaN);
  const [total, passed, skipped] = [count('Total'), count('Passed'), count('Skipped')];
  if (Number.isNaN(total)) return tally.fail(name, `${end}; it did not finish its tests (is .run() missing?)\n${output}`);
  const written = registered(file.source);
  if (total + skipped < written) return tally.fail(name, `${written} tests are written, ${total + skipped} ran\n${output}`);
  if (passed > 0 && passed === total && end === 'exit 0') tally.pass(name, took, passed);
  else if (total > passed) tally.fail(name, output, total - passed);
  else if (end !== 'exit 0' || total + skipped === 0) tally.fail(name, `${end}\n${output}`);
  if (passed > 0 && passed < total) tally.pass(`${name}, the rest`, took, passed);
  if (skipped > 0) tally.skip(name, [...output.matchAll(/^skip: (.*)$/gm)].map((row) => row[1]).join('; '), skipped);
}

function registered(source) {
  return [...readFileSync(join(top, source), 'utf8').matchAll(/^(?:test|live)\(/gm)].length;
}

/** Output and how it ended. What hangs is described and killed: a test past its own limit, or the file with all that it started. */
function spawnFile([program, args, env], seconds) {
  return new Promise((resolve) => {
    const mark = `${process.pid}-${randomUUID()}`;
    const child = spawn(program, args, {
      cwd: top,
      env: { ...env, FORCE_COLOR: '0', [markName]: mark },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const chunks = [];
    let late;
    const endAll = (reason) => {
      late = reason;
      const all = processesOf(mark);
      chunks.push(Buffer.from(`${reason}; its processes, which are killed now:\n${describe(all)}\n`));
      killAll(all);
    };
    const watch = new Watch(mark, (text) => chunks.push(Buffer.from(text)), endAll);
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(chunk));
    child.stdout.on('data', (chunk) => watch.hear(chunk.toString()));
    const timer = setTimeout(() => endAll(`still running after ${seconds} s`), seconds * 1000);
    child.once('error', (error) => resolve({ output: '', end: error.message }));
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      watch.close();
      const end = late ?? (signal ? `killed by ${signal}` : `exit ${code}`);
      setImmediate(() =>
        resolve({
          output: Buffer.concat(chunks)
            .toString()
            .replace(/@(begin \d+ .*|end)\n/g, ''),
          end,
        }),
      );
      for (const stream of [child.stdout, child.stderr]) stream.unref?.();
    });
  });
}
