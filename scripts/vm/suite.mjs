// Test files in the guest: all of them are one job, whose output is cut at the lines that say where a file begins and ends.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { bundles, judge } from '../test/files.mjs';
import { top } from '../setup.mjs';
import { OutOfTime, runJob } from './agent.mjs';

/** Seconds for one file: emulation is some twenty times slower than the machine, and the machine may be busy. */
const fileLimit = 600;
/** The tests' own time limits are multiplied by this (test/support/slow.ts). */
const slowness = 20;

/** Hands in the product and the tests: a tar, written to the start of the guest's second disk. */
export function packInput(folder, { tests, archive }) {
  const image = join(folder, 'input.img');
  tar(['-C', top, '--exclude=*.map', '--exclude=dist/types', '-cf', image, 'bin', 'dist', 'package.json']);
  if (tests) tar(['-C', bundles, '--transform=s,^\\.,tests,', '-rf', image, '.']);
  if (archive !== undefined && existsSync(archive)) tar(['-C', join(archive, '..'), '-rf', image, 'debian.tar']);
}

function tar(args) {
  const run = spawnSync('tar', ['--owner=1000', '--group=1000', ...args], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`tar: ${run.stderr || run.error}`);
}

/** First lines of every job: the product is unpacked into /lab, where it is in ana's PATH. */
export const unpack = 'dd if=/dev/vdb iflag=direct bs=1M status=none 2>/dev/null | tar -x --same-owner -C /lab';

/** @param {{ name: string, stage: string, source: string }[]} files @returns when each is in the tally */
export async function runSuite(tally, machine, files, { seconds, place = 'user' }) {
  console.log(`vm, in a guest with systemd${place === 'user' ? '' : ` (${place})`}`);
  const reader = sectionReader(files, (file, output, status, took) => judge(tally, file, output, `exit ${status}`, took));
  const script = [unpack, ...files.flatMap((file) => section(file, place))].join('\n');
  try {
    await runJob(machine, script, { seconds, output: reader.take });
  } catch (error) {
    const { missing, partial } = reader.rest();
    // Without time there is no answer: nothing has failed, and nothing has passed.
    if (error instanceof OutOfTime) {
      const test = [...partial.matchAll(/@begin \d+ (.*)$/gm)].at(-1)?.[1];
      if (test !== undefined) console.log(`vm: the time ended during "${test}"`);
      for (const file of missing) tally.skip(`${file.stage}/${file.name} (vm)`, error.message);
    } else tally.fail(`vm: ${error.message}`, partial || 'no output', missing.length);
    return;
  }
  for (const file of reader.rest().missing) tally.fail(`${file.stage}/${file.name} (vm)`, 'it was not run');
}

const environment = [
  'ROOTLESS_CHECKOUT=/lab',
  'ROOTLESS_TEST_DEBIAN=/lab/debian.tar',
  'ROOTLESS_TEST_MODE=ranges',
  `ROOTLESS_TEST_SLOW=${slowness}`,
  'FORCE_COLOR=0',
];

function section({ stage, name }, place) {
  const strict = stage === 'vm' ? ['ROOTLESS_TEST_NO_SKIP=1'] : [];
  const env = ['env', ...environment, ...strict].join(' ');
  return [
    `printf '\\n@@ begin ${stage}/${name}\\n'; begun=$SECONDS`,
    `lab-as ${place} ${env} timeout --kill-after=30 ${fileLimit} node /lab/tests/${stage}/${name}.test.mjs`,
    `printf '\\n@@ end ${stage}/${name} %s %s\\n' "$?" "$((SECONDS - begun))"`,
  ];
}

/** Cuts a stream into files; each is told as soon as it has ended. */
export function sectionReader(files, ended) {
  let text = '';
  const waiting = new Map(files.map((file) => [`${file.stage}/${file.name}`, file]));
  const take = (chunk) => {
    text += chunk.toString('latin1');
    for (;;) {
      const end = /^@@ end (\S+) (\d+) (\d+)\r?\n/m.exec(text);
      if (end === null) return;
      const [line, name, status, took] = end;
      const before = text.slice(0, end.index);
      const begin = before.lastIndexOf(`@@ begin ${name}\n`);
      text = text.slice(end.index + line.length);
      const file = waiting.get(name);
      waiting.delete(name);
      const output = Buffer.from(before.slice(begin < 0 ? 0 : begin + `@@ begin ${name}\n`.length), 'latin1').toString();
      if (file !== undefined) ended(file, output, Number(status), Number(took));
    }
  };
  return { take, rest: () => ({ missing: [...waiting.values()], partial: Buffer.from(text, 'latin1').toString() }) };
}
