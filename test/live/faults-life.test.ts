/**
 * Whatever is killed or damaged at whatever moment: the store says what is true, a container can be started or removed, and nothing stays.
 * Counted, so nothing may run beside this file.
 */

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { census, leftAfter, marker } from '../support/census.ts';
import { bin } from '../support/checkout.ts';
import { data, environment, rootless, runtime, start } from '../support/cli.ts';
import { ok } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxImage } from '../support/images.ts';
import { isAlive } from '../support/monitor.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox'] as const;
const none = ['--network', 'none'];
const sleeper = ['sleep', '300'];
const marked = ['-e', `MARKER=${marker}`, ...none];
const state = async (name: string) => (await ok(['inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', name])).trim();
const folderOf = (id: string) => join(data, 'containers', id);
const places = ['names', 'live', 'slots', 'containers'];
const entries = () => places.flatMap((name) => list(join(data, name)).map((entry) => `${name}/${entry}`));

type Life = { readonly pid: number; readonly monitor: { readonly pid: number } };
const lifeOf = (id: string) => JSON.parse(readFileSync(join(folderOf(id), 'status.json'), 'utf8')) as Life;

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** What a test leaves after the last `rm -f`; a run before it sweeps what killed processes could not. */
async function clean(before: ReturnType<typeof census>): Promise<void> {
  await ok(['rm', '-f', '--all']);
  await ok(['run', '--rm', ...none, busyboxImage(), 'true']);
  assert.equal(await leftAfter(before), []);
  await eventually(() => assert.equal(entries(), []));
}

async function begin(): Promise<ReturnType<typeof census>> {
  await ok(['run', '--rm', ...none, busyboxImage(), 'true']);
  return census();
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended with the one before it.
  }
}

/** Ends the whole process group of a command line at some moment: its front, Node and helper at once, or Node alone. */
async function killAt(args: readonly string[], milliseconds: number): Promise<void> {
  const child = start(args);
  const closed = once(child, 'close');
  await pause(milliseconds);
  child.kill('SIGKILL');
  await closed;
}

live('with --rm nothing stays when it has ended, by itself, stopped or killed', needs, async () => {
  const before = await begin();
  for (const end of [['wait'], ['stop', '-t', '0'], ['kill'], ['rm', '-f']]) {
    const id = (await ok(['run', '-d', '--rm', ...marked, busyboxImage(), 'sleep', end[0] === 'wait' ? '0.2' : '300'])).trim();
    await rootless([...end, id]);
  }
  await eventually(() => assert.equal(entries(), []));
  assert.equal(await leftAfter(before), []);
});

live(
  'the command line killed at 20 moments of run -d and start: what it began is whole, or can be removed',
  needs,
  async () => {
    const before = await begin();
    for (let moment = 0; moment < 10; moment += 1) {
      await killAt(['run', '-d', '--name', `run${moment}`, ...marked, busyboxImage(), ...sleeper], moment * 15);
      await ok(['create', '--name', `start${moment}`, ...marked, busyboxImage(), ...sleeper]);
      await killAt(['start', `start${moment}`], moment * 15);
      await ok(['start', `start${moment}`]);
      assert.is(await state(`start${moment}`), 'running 0');
    }
    await clean(before);
  },
  { seconds: 300 },
);

live('the monitor killed: its container has ended with 137, and starts again', needs, async () => {
  const before = await begin();
  const id = (await ok(['run', '-d', '--name', 'watched', ...marked, busyboxImage(), ...sleeper])).trim();
  kill(lifeOf(id).monitor.pid);
  await eventually(async () => assert.is(await state('watched'), 'exited 137'));
  assert.is(await ok(['wait', 'watched']), '137\n');
  assert.is((await rootless(['kill', 'watched'])).code, 1);
  await ok(['start', 'watched']);
  kill(lifeOf(id).pid);
  assert.is(await ok(['wait', 'watched']), '137\n');
  await ok(['start', 'watched']);
  const { pid, monitor } = lifeOf(id);
  for (const each of [monitor.pid, pid]) kill(each);
  await ok(['start', 'watched']);
  await clean(before);
});

live('a monitor that is stopped does not keep rm -f', needs, async () => {
  const before = await begin();
  const id = (await ok(['run', '-d', ...marked, busyboxImage(), ...sleeper])).trim();
  process.kill(lifeOf(id).monitor.pid, 'SIGSTOP');
  await ok(['rm', '-f', id]);
  await clean(before);
});

live('a monitor that is stopped does not keep stop for ever', needs, async () => {
  const before = await begin();
  const id = (await ok(['run', '-d', ...marked, busyboxImage(), ...sleeper])).trim();
  process.kill(lifeOf(id).monitor.pid, 'SIGSTOP');
  await ok(['stop', '-t', '0', id]);
  assert.match(await state(id), /^exited/);
  await clean(before);
});

/** What somebody, a full disk or a power cut may do to the files of a container that runs. */
const damages: Readonly<Record<string, (id: string) => void>> = {
  'container.json is empty': (id) => writeFileSync(join(folderOf(id), 'container.json'), ''),
  'container.json is gone': (id) => rmSync(join(folderOf(id), 'container.json')),
  'status.json is no JSON': (id) => writeFileSync(join(folderOf(id), 'status.json'), '{"status":'),
  'status.json is gone': (id) => rmSync(join(folderOf(id), 'status.json')),
  'config.json is gone': (id) => rmSync(join(folderOf(id), 'config.json')),
  'monitor.json is no JSON': (id) => writeFileSync(join(folderOf(id), 'monitor.json'), 'x'),
  'its state is gone': (id) => rmSync(join(runtime, 'rootless', id), { recursive: true }),
  'its state is no JSON': (id) => writeFileSync(join(runtime, 'rootless', id, 'state.json'), 'x'),
  'its socket is gone': (id) => rmSync(join(runtime, 'rootless', id, 'monitor')),
  'its mark is gone': (id) => rmSync(join(data, 'live', id)),
  'its name is gone': (id) => rmSync(join(data, 'names'), { recursive: true }) ?? id,
  'its folder is gone': (id) => void rmSync(folderOf(id), { recursive: true }),
};

live(
  'whatever is damaged, rm -f gets rid of it, running or not',
  needs,
  async () => {
    const before = await begin();
    for (const [name, damage] of Object.entries(damages)) {
      const id = (await ok(['run', '-d', '--name', 'hurt', ...marked, busyboxImage(), ...sleeper])).trim();
      damage(id);
      assert.is((await rootless(['ps', '-a'])).code, 0, name);
      const removed = await rootless(['rm', '-f', id]);
      assert.is(removed.code, 0, `${name}: ${removed.stderr}`);
      assert.is(removed.stdout, `${id}\n`, name);
    }
    await clean(before);
  },
  { seconds: 300 },
);

live('a container whose name link somebody deleted is still found by its name', needs, async () => {
  const before = await begin();
  const id = (await ok(['run', '-d', '--name', 'nameless', ...marked, busyboxImage(), ...sleeper])).trim();
  rmSync(join(data, 'names/nameless'));
  assert.is(await ok(['exec', 'nameless', 'echo', 'found']), 'found\n');
  assert.is(await ok(['rm', '-f', 'nameless']), 'nameless\n');
  assert.is((await rootless(['container', 'exists', id])).code, 1);
  await clean(before);
});

live('after a reboot ps tells the truth, start works, and nothing is stuck', needs, async () => {
  const before = await begin();
  const ids: string[] = [];
  for (const flags of [
    ['--name', 'kept'],
    ['--name', 'passing', '--rm'],
    ['--name', 'restarted', '--restart', 'always'],
  ]) {
    ids.push((await ok(['run', '-d', ...flags, ...marked, busyboxImage(), ...sleeper])).trim());
  }
  // A boot takes the processes and the runtime folder, and changes the boot id that files name.
  const lives = ids.map(lifeOf);
  for (const { monitor } of lives) kill(monitor.pid);
  await eventually(() => assert.not.ok(lives.some(({ pid, monitor }) => isAlive(pid) || isAlive(monitor.pid))));
  rmSync(join(runtime, 'rootless'), { recursive: true });
  for (const id of ids) {
    for (const file of [join(folderOf(id), 'status.json'), join(data, 'live', id)]) {
      writeFileSync(file, readFileSync(file, 'utf8').replace(/"bootId":"[^"]+"/, '"bootId":"earlier"'));
    }
    symlinkSync('1 1 earlier 1', join(folderOf(id), 'lock'));
  }
  for (const name of ['kept', 'restarted']) assert.is(await state(name), 'exited 137');
  await ok(['start', 'kept', 'restarted']);
  assert.is(await state('kept'), 'running 0');
  assert.is((await rootless(['container', 'exists', 'passing'])).code, 1, 'the first start swept what was to be removed');
  await clean(before);
});

live(
  'ten processes that start, stop and remove one container at once never break it',
  needs,
  async () => {
    const before = await begin();
    await ok(['create', '--name', 'busy', ...marked, busyboxImage(), ...sleeper]);
    const verbs = [['start'], ['stop', '-t', '0'], ['start'], ['restart', '-t', '0'], ['start']];
    const all = await Promise.all([...verbs, ...verbs].map((verb) => rootless([...verb, 'busy'])));
    for (const { code, stderr } of all) assert.is(code, 0, stderr);
    await ok(['start', 'busy']);
    assert.is(await state('busy'), 'running 0');
    const removals = await Promise.all(
      ['rm', 'start', 'rm', 'start', 'rm'].map((verb) => rootless([verb, ...(verb === 'rm' ? ['-f'] : []), 'busy'])),
    );
    for (const [at, { code, stderr }] of removals.entries()) if (at % 2 === 0) assert.is(code, 0, stderr);
    await clean(before);
  },
  { seconds: 300 },
);

live(
  'forty starts at once',
  needs,
  async () => {
    const before = await begin();
    const args = ['run', '-d', ...marked, busyboxImage(), ...sleeper];
    const started = await Promise.all(Array.from({ length: 40 }, () => rootless(args)));
    for (const { code, stderr } of started) assert.is(code, 0, stderr);
    assert.is((await ok(['ps', '-q'])).split('\n').length, 41);
    await clean(before);
  },
  { seconds: 400 },
);

live("ids of --userns auto are nobody else's, are kept for the next start, and are free after rm", needs, async () => {
  const flags = ['--userns', 'auto:size=1000', ...marked];
  const probe = await rootless(['run', '--rm', ...flags, busyboxImage(), 'true']);
  // With one id there are none to give.
  if (probe.code !== 0) return assert.match(probe.stderr, /--userns auto/);
  const map = async (name: string) => (await ok(['exec', name, 'cat', '/proc/self/uid_map'])).trim().split(/\s+/)[1];
  const both = async () => {
    for (const name of ['one', 'two']) await ok(['run', '-d', '--name', name, ...flags, busyboxImage(), ...sleeper]);
  };
  // Layers of both mappings are unpacked, and stay.
  await both();
  await ok(['rm', '-f', '--all']);
  const before = await begin();
  await both();
  const first = await map('one');
  assert.is.not(first, await map('two'));
  await ok(['exec', 'one', 'touch', '/mine']);
  await ok(['stop', '-t', '0', 'one']);
  await ok(['start', 'one']);
  assert.is(await map('one'), first);
  assert.is((await ok(['exec', 'one', 'stat', '-c', '%u', '/mine'])).trim(), '0');
  await clean(before);
});

/** Processor time of `rootless ARGS` and of what it waited for: the load of the machine does not count. */
function cpuSeconds(args: readonly string[]): number {
  const run = spawnSync('bash', ['-c', '"$@" >/dev/null || exit; times', 'bash', bin, ...args], { env: environment, encoding: 'utf8' });
  assert.is(run.status, 0, run.stderr);
  const children = run.stdout.trim().split('\n').at(-1) ?? '';
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, minutes, seconds]) => sum + 60 * Number(minutes) + Number(seconds), 0);
}

live(
  'a thousand containers in the store: looking, finding and running stay quick',
  needs,
  async () => {
    const before = await begin();
    const id = (await ok(['create', '--name', 'first', ...none, busyboxImage(), 'true'])).trim();
    const text = readFileSync(join(folderOf(id), 'container.json'), 'utf8');
    for (let at = 0; at < 1000; at += 1) {
      const other = id.slice(0, 52) + at.toString(16).padStart(12, '0');
      mkdirSync(folderOf(other), { recursive: true });
      writeFileSync(join(folderOf(other), 'container.json'), text.replaceAll(id, other).replace('"name":"first"', `"name":"n${at}"`));
      symlinkSync(other, join(data, 'names', `n${at}`));
    }
    const bare = cpuSeconds(['version']);
    for (const args of [
      ['ps', '-aq'],
      ['inspect', 'n500'],
      ['rename', 'n1', 'm1'],
      ['run', '--rm', ...none, busyboxImage(), 'true'],
    ]) {
      const took = cpuSeconds(args);
      assert.ok(took < bare + 1.5, `${args[0]} took ${took} s of processor time, version ${bare} s`);
    }
    rmSync(join(data, 'containers'), { recursive: true });
    rmSync(join(data, 'names'), { recursive: true });
    await clean(before);
  },
  { seconds: 300 },
);

live.run();
