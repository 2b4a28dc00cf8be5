/** What serves a plain `run` begins while Node loads, by what the last one had: a guess that no command has to hold to, and that leaves nothing. */

import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { mode, uid } from '../support/checkout.ts';
import { census, left } from '../support/census.ts';
import { data, finished, rootless, runtime, start, until } from '../support/cli.ts';
import { ok } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox', 'pasta', 'tun'] as const;
const file = join(runtime, 'rootless/pasta.json');
const routes = ['run', '--rm', busyboxImage(), 'sh', '-c', 'ls /sys/class/net | wc -l; ip route | grep -c ^default'];
const sleeper = [busyboxImage(), 'sh', '-c', 'trap "exit 0" TERM; echo up; while :; do sleep 1 & wait $!; done'];
/** Root's are not guessed, with one id the image's user decides, and an old pasta does not outlive whom it was shown. */
const guesses = uid !== 0 && mode === 'ranges';

type Memory = { readonly usual?: readonly string[]; readonly options: readonly string[] };
const recall = () => JSON.parse(readFileSync(file, 'utf8')) as Memory;
const able = () => guesses && recall().options.includes('no-netns-quit');

/** `work` with a memory that says something else, which the command that runs puts right. */
async function remembering(usual: readonly string[], work: () => Promise<void>): Promise<void> {
  writeFileSync(file, JSON.stringify({ ...recall(), usual }));
  await work();
}

/** Nothing is there afterwards that was not before. */
async function traceless(work: () => Promise<void>): Promise<void> {
  const before = census();
  await work();
  await eventually(() => assert.equal(left(before, census()), []), 20_000);
}

live('a plain run is remembered, and the next one has its network too', needs, async () => {
  assert.is((await rootless(routes)).stdout, '2\n1\n');
  if (!able()) return;
  assert.ok(recall().usual?.includes('--config-net'));
  await traceless(async () => {
    const { code, stdout, stderr } = await rootless(routes);
    assert.is(code, 0, stderr);
    assert.is(stdout, '2\n1\n');
  });
});

live('what was guessed is used: the monitor has not started it again', needs, async () => {
  await ok(routes);
  if (!able()) return;
  const child = start(['run', '--rm', '--name', 'used', ...sleeper]);
  const end = finished(child);
  try {
    await until(child, 'up');
    const id = (await ok(['inspect', '-f', '{{.Id}}', 'used'])).trim();
    const status = JSON.parse(readFileSync(join(data, 'containers', id, 'status.json'), 'utf8')) as {
      monitor: { pid: number };
      pid: number;
    };
    const children = readFileSync(`/proc/${status.monitor.pid}/task/${status.monitor.pid}/children`, 'utf8').trim().split(' ');
    assert.equal(children, [String(status.pid)]);
  } finally {
    await ok(['rm', '-f', '-t', '0', 'used']);
    await end;
  }
});

live('a guess that is wrong is begun, ended, and nobody is the worse for it', needs, () =>
  withTmp(async (folder) => {
    await ok(routes);
    if (!able()) return;
    const right = recall().usual;
    const [program, mark] = [join(folder, 'wrong'), join(folder, 'begun')];
    writeFileSync(program, `#!/bin/sh\necho begun >${mark}\nexec sleep 300\n`);
    chmodSync(program, 0o755);
    await traceless(() =>
      remembering([program, '-t', 'none', '-u', 'none', '{pid}'], async () => {
        const { code, stdout, stderr } = await rootless(routes);
        assert.is(code, 0, stderr);
        assert.is(stdout, '2\n1\n');
        assert.ok(existsSync(mark), 'it was begun');
        rmSync(mark);
        assert.equal(recall().usual, right);
      }),
    );
    for (const words of [['-d'], ['--network', 'none'], ['-p', '127.0.0.1::80']]) {
      await remembering([program, '-t', 'none', '-u', 'none', '{pid}'], () =>
        ok(['run', '--rm', ...words, busyboxImage(), 'true']).then(() => assert.not.ok(existsSync(mark), words.join(' '))),
      );
    }
  }),
);

live('a guess that fails is no failure', needs, async () => {
  await ok(routes);
  if (!able()) return;
  for (const usual of [
    ['/nosuch/pasta', '-t', 'none', '-u', 'none'],
    ['/bin/false', '-t', 'none', '-u', 'none'],
  ]) {
    await remembering(usual, async () => {
      const { code, stdout, stderr } = await rootless(routes);
      assert.is(code, 0, stderr);
      assert.is(stdout, '2\n1\n');
    });
  }
  for (const text of ['', '{', '[]', '{"usual":7}', '{"usual":["pasta"]}']) {
    writeFileSync(file, text);
    assert.is((await rootless(routes)).stdout, '2\n1\n', text);
  }
});

live('a command that wants another network, or fails, leaves nothing of a guess', needs, async () => {
  await ok(routes);
  await traceless(async () => {
    assert.is(await ok(['run', '--rm', '--userns', 'host', busyboxImage(), 'echo', 'out']), 'out\n');
    assert.is((await rootless(['run', '--rm', '--nosuch', busyboxImage()])).code, 125);
    assert.is((await rootless(['run', '--rm', 'oci:/nosuch/layout', 'true'])).code, 125);
    assert.is((await rootless(['run', '--rm', busyboxImage(), '/nosuch'])).code, 127);
    assert.is(await ok(['run', '--rm', '--network', 'none', busyboxImage(), 'ls', '/sys/class/net']), 'lo\n');
  });
});

live('killed at any moment of its start, it leaves nothing', needs, async () => {
  await ok(routes);
  await traceless(async () => {
    for (const delay of [0, 5, 10, 20, 40, 80]) {
      const child = start(routes);
      const end = finished(child);
      const timer = setTimeout(() => child.kill('SIGKILL'), delay);
      await end;
      clearTimeout(timer);
    }
    // What a killed command has left of its container the next one takes away.
    await eventually(() => ok(['ps', '-aq']).then((ids) => assert.is(ids, '')));
  });
});

live('who guards the container may be killed: another one does, and without a process that ended staying beside it', needs, async () => {
  await ok(routes);
  await traceless(guarded);
});

async function guarded(): Promise<void> {
  const child = start(['run', '--rm', '--name', 'guarded', ...sleeper]);
  const end = finished(child);
  await until(child, 'up');
  const pid = Number((await ok(['inspect', '-f', '{{.State.Pid}}', 'guarded'])).trim());
  const zombies = () => descendants(child.pid ?? 0).filter((one) => stateOf(one) === 'Z');
  await eventually(() => assert.equal(zombies(), []));
  const guardians = guardiansOf(pid);
  for (const guardian of guardians) process.kill(guardian, 'SIGKILL');
  await eventually(() => assert.ok(guardiansOf(pid).some((one) => !guardians.includes(one))));
  // What it has started serves on, and ends with the container.
  assert.match(await ok(['exec', 'guarded', 'ls', '/sys/class/net']), /^(?!lo$).+$/m);
  await ok(['rm', '-f', '-t', '0', 'guarded']);
  await end;
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};
const fieldsOf = (pid: number) =>
  read(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, '')
    .split(' ');
const stateOf = (pid: number) => fieldsOf(pid)[0];
const all = () =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

function descendants(pid: number): number[] {
  const children = all().filter((one) => Number(fieldsOf(one)[1]) === pid);
  return [...children, ...children.flatMap(descendants)];
}

/** Helpers that hold a pidfd of the container, and are in a session of their own. */
function guardiansOf(container: number): number[] {
  return all().filter((pid) => {
    if (Number(fieldsOf(pid)[3]) !== pid) return false;
    try {
      const fds = readdirSync(`/proc/${pid}/fdinfo`).map((fd) => read(`/proc/${pid}/fdinfo/${fd}`));
      return fds.some((text) => new RegExp(`^Pid:\\s+${container}$`, 'm').test(text)) && !/\bmonitor\b/.test(read(`/proc/${pid}/comm`));
    } catch {
      return false;
    }
  });
}

live.run();
