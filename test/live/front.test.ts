/** The program that stays: a container and a session have no JavaScript engine beside them, and the caller notices nothing of that. */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { program, withBundle } from '../support/bundle.ts';
import { bin, helper, mode } from '../support/checkout.ts';
import { environment, finished, rootless, start, until } from '../support/cli.ts';
import { run, runArgs, shell, startRun } from '../support/container.ts';
import { busyboxImage } from '../support/images.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;

/** Names of the programs of a process and of all that it started. */
function family(pid: number): string[] {
  const children = (of: number): number[] =>
    readdirSync(`/proc/${of}/task`).flatMap((task) => read(`/proc/${of}/task/${task}/children`).split(' ').filter(Boolean).map(Number));
  return [nameOf(pid), ...children(pid).flatMap(family)];
}

function nameOf(pid: number): string {
  return read(`/proc/${pid}/comm`).trim();
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

live('no Node stays beside a container', needs, async () => {
  const child = startRun([], ['sh', '-c', 'echo ready; sleep 30']);
  await until(child, 'ready');
  const pid = child.pid ?? 0;
  await eventually(() => assert.not.match(family(pid).join(' '), /node/));
  child.kill('SIGTERM');
  assert.is((await finished(child)).code, 143);
});

live('no Node stays beside a session', needs, async () => {
  assert.is((await rootless(['run', '-d', '--rm', '--network', 'none', '--name', 'front-exec', busyboxImage(), 'sleep', '60'])).code, 0);
  const child = start(['exec', '-i', 'front-exec', 'sh', '-c', 'echo ready; cat']);
  await until(child, 'ready');
  const pid = child.pid ?? 0;
  await eventually(() => assert.not.match(family(pid).join(' '), /node/));
  const ended = finished(child);
  child.stdin?.end('last words\n');
  assert.match((await ended).stdout, /last words/);
  await rootless(['rm', '-f', 'front-exec']);
});

live('its exit codes are the program’s, and ours with their words', needs, async () => {
  for (const code of [0, 1, 124, 125, 126, 255]) assert.is((await run([], ['sh', '-c', `exit ${code}`])).code, code);
  const missing = await run([], ['no-such-program']);
  assert.is(missing.code, 127);
  assert.match(missing.stderr, /command not found: "no-such-program"/);
  assert.not.match(missing.stderr, /rootless-helper/);
  assert.is((await rootless(['run', '--no-such-flag'])).code, 125);
});

live('without -i the program reads nothing of the caller’s input', needs, async () => {
  assert.is((await run([], ['cat'], { input: 'secret' })).stdout, '');
  assert.is((await run(['-i'], ['cat'], { input: 'open' })).stdout, 'open');
});

live('descriptors of the way between the two reach no other program', needs, async () => {
  const inside = await shell([], 'ls -l /proc/self/fd');
  assert.not.match(inside, /socket:/);
  assert.not.match(inside, / 4 ->/);
  const { stdout } = await rootless(['unshare', 'sh', '-c', 'ls -l /proc/self/fd; env']);
  assert.not.match(stdout, /ROOTLESS_FRONT| [3-9] -> socket/);
  assert.not.match(await shell(['-e', 'A=b'], 'env'), /ROOTLESS_FRONT/);
});

live('a name in the environment that leads nowhere changes nothing', needs, async () => {
  const { code, stdout } = await run([], ['echo', 'fine'], { env: { ROOTLESS_FRONT: '9' } });
  assert.is(code, 0);
  assert.is(stdout, 'fine\n');
});

live('started by a link from another folder it works all the same', needs, () =>
  withTmp((folder) => {
    const link = join(folder, 'rl');
    symlinkSync(bin, link);
    const { status, stdout, stderr } = spawnSync(link, runArgs([], ['echo', 'linked']), { env: environment, encoding: 'utf8' });
    assert.is(status, 0, stderr);
    assert.is(stdout, 'linked\n');
  }),
);

live('a signal while the command line still decides ends both', needs, async () => {
  for (const moment of [5, 15, 25, 35]) {
    const child = startRun([], ['sleep', '30']);
    const ended = finished(child);
    await pause(moment);
    child.kill('SIGTERM');
    const { code, signal } = await ended;
    assert.ok(code === 143 || code === 130 || signal === 'SIGTERM', `${moment} ms: ${code} ${signal}`);
  }
});

live('a signal that comes when the command line has handed over already is the container’s', needs, () =>
  withBundle(async ({ change, folder }) => {
    change(program('sleep', '1000'));
    const order = JSON.stringify({ args: ['--root', join(folder, 'state'), 'run', '--bundle', folder, 'a'], input: true });
    const script = [
      "trap 'touch came' TERM; touch ready; until test -e came; do sleep 0.05; done; set -- $ROOTLESS_FRONT",
      // As the command line does, until the program runs or cannot.
      'echo "$ORDER" >&"$1"; while read event <&"$1"; do case $event in *created*) ;; *) exit ;; esac; done',
    ].join('; ');
    writeFileSync(join(folder, 'node'), `#!/bin/bash\n${script}\n`, { mode: 0o755 });
    const child = spawn(helper, ['front', '--', 'x'], {
      cwd: folder,
      env: { ...environment, PATH: `${folder}:${environment.PATH}`, ORDER: order },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = finished(child);
    await eventually(() => assert.ok(existsSync(join(folder, 'ready'))));
    child.kill('SIGTERM');
    const { code, stderr } = await ended;
    assert.is(code, 143, stderr);
    for (const name of ['node', 'ready', 'came']) rmSync(join(folder, name));
  }),
);

live('a front that is killed while the command line decides takes a container in the background back', needs, async () => {
  for (const moment of [10, 30, 60, 100]) {
    const child = start(['run', '-d', '--network', 'none', busyboxImage(), 'sleep', '300']);
    const ended = finished(child);
    await pause(moment);
    child.kill('SIGKILL');
    // The end of both streams: Node, which has them too, has ended.
    const { stdout } = await ended;
    await eventually(async () => assert.is((await rootless(['ps', '-q', '--no-trunc'])).stdout, stdout));
    await rootless(['rm', '-f', '--all']);
  }
});

live('whatever few files, or however little space, a shell allows: it works, or says why it does not', needs, async () => {
  assert.is((await run([], ['true'])).code, 0);
  const limits = [...[12, 16, 18, 20, 22, 24, 28, 32, 40, 48].map((files) => `-n ${files}`), '-v 300000', '-v 600000', '-f 0'];
  for (const limit of limits) {
    const line = `ulimit ${limit}; exec "$0" "$@"`;
    const { status, stderr } = spawnSync('sh', ['-c', line, bin, ...runArgs([], ['true'])], { env: environment, encoding: 'utf8' });
    assert.ok(status === 0 || status === 125 || status === 126, `${limit}: ${status} ${stderr}`);
    if (status !== 0) assert.match(stderr, /^rootless(-helper)?: /m, limit);
  }
  assert.is((await run([], ['true'])).code, 0);
});

if (mode !== 'root') {
  live('the front is the helper, and nothing in the container can see or change it', needs, async () => {
    const child = startRun([], ['sh', '-c', 'echo ready; ls -l /proc/1/exe; sleep 30']);
    await until(child, 'ready');
    assert.match(readlinkSync(`/proc/${child.pid}/exe`), /rootless-helper/);
    child.kill('SIGKILL');
    await finished(child);
  });
}

live.run();
