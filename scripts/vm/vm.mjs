// What is run in the guest, and how long it may take: the stage `vm` of `npm test`, and `npm run test:vm`.
import { debianArchive } from '../test/debian.mjs';
import { bundleTests, testFiles } from '../test/files.mjs';
import { noGuest } from './available.mjs';
import { OutOfTime, runJob } from './agent.mjs';
import { withGuest } from './guest.mjs';
import { NoPackages } from './image.mjs';
import { packInput, runSuite, unpack } from './suite.mjs';

/** Files of the live suite whose subject is another one where limits are enforced and systemd runs. */
const alsoHere = ['stats'];
/** What CI runs, in this order, since its time may end; and the order of these in every other run. */
const inCi = [
  'limits',
  'session',
  'delegation',
  'linger',
  'doctor',
  'peer',
  'peer-network',
  'nested-limits',
  'left',
  'cgroups',
  'doctor-broken',
];
/** Files that want a cold boot with AppArmor. */
const withAppArmor = ['apparmor'];
/** Seconds for all files, if nobody gives less, and with how few a guest is not begun. */
const suiteLimit = 60 * 60;
const leastTime = 2 * 60;

/**
 * What there is no time for, and what cannot be run here, is skipped by name.
 * @param {string[]} words pick files of test/vm and test/live by name; `all` is every file; none is test/vm, in `ci` the chosen of it
 */
export async function testVm(tally, words, { ci = false, seconds = words.includes('all') ? 24 * suiteLimit : suiteLimit } = {}) {
  const picked = ci && words.length === 0 ? inCi.map((name) => ({ stage: 'vm', name })) : pick(words);
  if (picked.length === 0) throw new Error(`no file of test/vm or test/live has "${words.join('" or "')}" in its name`);
  const end = performance.now() + seconds * 1000;
  const left = () => (end - performance.now()) / 1000;
  const skip = (group, reason) => {
    for (const { stage, name } of group) tally.skip(`${stage}/${name} (vm)`, reason);
  };
  const early = () => (left() < leastTime ? `only ${Math.max(0, left()).toFixed(0)} s are left of this run's time` : undefined);
  const reason = early() ?? noGuest();
  if (reason !== undefined) return skip(picked, reason);
  const files = await bundleTests(['vm', 'live'], [], (file) => picked.some((one) => isSame(one, file)));
  files.sort((one, other) => picked.findIndex((file) => isSame(file, one)) - picked.findIndex((file) => isSame(file, other)));
  const archive = files.some(({ stage }) => stage === 'live') && words.includes('all') ? debianArchive() : undefined;
  const prepare = (folder) => packInput(folder, { tests: true, archive });
  const warm = words.length > 0 ? 'make' : 'use';
  const apparmor = ({ stage, name }) => stage === 'vm' && withAppArmor.includes(name);
  for (const [group, options] of [
    [files.filter((file) => !apparmor(file)), { warm, prepare, left }],
    [files.filter(apparmor), { apparmor: true, warm: 'no', prepare, left }],
  ]) {
    if (group.length === 0) continue;
    const late = early();
    if (late !== undefined) {
      skip(group, late);
      continue;
    }
    try {
      await withGuest(options, (machine) => runSuite(tally, machine, group, { seconds: left() }));
    } catch (error) {
      if (error instanceof NoPackages || error instanceof OutOfTime) skip(group, error.message);
      else tally.fail('vm', error.message, group.length);
    }
  }
}

const isSame = (one, other) => one.stage === other.stage && one.name === other.name;

function pick(words) {
  const rank = ({ stage, name }) => (stage === 'vm' && inCi.includes(name) ? inCi.indexOf(name) : inCi.length);
  const all = ['vm', 'live']
    .flatMap((stage) => testFiles(stage).map((name) => ({ stage, name })))
    .sort((one, other) => rank(one) - rank(other));
  if (words.includes('all')) return all;
  if (words.length === 0) return all.filter(({ stage, name }) => stage === 'vm' || alsoHere.includes(name));
  return all.filter(({ stage, name }) => words.some((word) => `${stage}/${name}`.includes(word)));
}

/** `run [--root|--session|--bare] [--apparmor] [--cold] COMMAND…`: one shell line as the guest's user, the product in PATH. */
export async function runCommand(argv) {
  const flags = argv.filter((word, at) => word.startsWith('--') && argv.slice(0, at).every((before) => before.startsWith('--')));
  const place = ['root', 'session', 'bare'].find((name) => flags.includes(`--${name}`)) ?? 'user';
  const apparmor = flags.includes('--apparmor');
  const reason = noGuest();
  if (reason !== undefined) throw new Error(reason);
  const line = argv.slice(flags.length).join(' ');
  const script = `${unpack}\nlab-as ${place} bash -c '${line.replaceAll("'", "'\\''")}'`;
  const warm = flags.includes('--cold') ? 'no' : 'make';
  return withGuest({ apparmor, warm, prepare: (folder) => packInput(folder, { tests: false }) }, (machine) =>
    runJob(machine, script, { seconds: suiteLimit, output: (chunk) => process.stdout.write(chunk) }),
  );
}
