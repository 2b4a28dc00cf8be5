/** `--network ns:PATH`: namespaces that somebody else made. */

import { type ChildProcess, spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { bin, uid } from '../support/checkout.ts';
import { environment, finished, rootless, start, until } from '../support/cli.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox'] as const;
const say = 'echo $$; exec sleep 600';
const look = 'readlink /proc/self/ns/net';

type Other = { readonly path: string; readonly name: string; readonly end: () => Promise<void> };

async function made(program: string, args: readonly string[]): Promise<Other> {
  const child = spawn(program, args, { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  const said = await until(child, '\n');
  const pid = /^\d+$/m.exec(said)?.[0] ?? '';
  const path = `/proc/${pid}/ns/net`;
  return { path, name: `${readlinkSync(path)}\n`, end: () => ended(child, Number(pid)) };
}

function joins(path: string, ...flags: string[]) {
  return rootless(['run', '--rm', '--network', `ns:${path}`, ...flags, busyboxImage(), 'sh', '-c', look]);
}

live('one in a user namespace of the user, with the same ids, is joined', needs, async () => {
  const other = await made(bin, ['unshare', 'unshare', '-n', 'sh', '-c', say]);
  try {
    const { code, stdout, stderr } = await joins(other.path);
    assert.is(code, 0, stderr);
    assert.is(stdout, other.name);
    const keep = await joins(other.path, '--userns', 'keep-id');
    if (keep.code !== 125) assert.is(keep.stdout, other.name, keep.stderr);
  } finally {
    await other.end();
  }
});

live('a container lives again in it', needs, async () => {
  const other = await made(bin, ['unshare', 'unshare', '-n', 'sh', '-c', say]);
  try {
    const script = `test -e /again && ${look} && exit 0; touch /again; exit 1`;
    const flags = ['--name', 'joined', '--restart', 'on-failure', '--network', `ns:${other.path}`];
    const { code, stdout, stderr } = await rootless(['run', ...flags, busyboxImage(), 'sh', '-c', script]);
    assert.is(code, 0, stderr);
    assert.is(stdout, other.name);
    assert.is((await rootless(['start', 'joined'])).code, 0);
  } finally {
    await rootless(['rm', '-f', '-t', '0', 'joined']);
    await other.end();
  }
});

live('one whose user namespace has too few ids is refused with that reason', needs, async () => {
  const other = await made('unshare', ['-rn', 'sh', '-c', say]);
  try {
    const { code, stdout, stderr } = await joins(other.path);
    // Who has one id only has no more than that one.
    if (code === 0) assert.is(stdout, other.name);
    else if (uid !== 0) assert.match(stderr, /has other ids than the container \(1 in all\)/);
  } finally {
    await other.end();
  }
});

live("another container's is joined by its path too", needs, async () => {
  const child = start(['run', '--rm', '--name', 'owner', '--network', 'none', busyboxImage(), 'sh', '-c', say]);
  await until(child, '\n');
  const end = finished(child);
  try {
    const pid = (await rootless(['inspect', '-f', '{{.State.Pid}}', 'owner'])).stdout.trim();
    const { code, stdout, stderr } = await joins(`/proc/${pid}/ns/net`);
    assert.is(code, 0, stderr);
    assert.is(stdout, `${readlinkSync(`/proc/${pid}/ns/net`)}\n`);
  } finally {
    await rootless(['rm', '-f', '-t', '0', 'owner']);
    await end;
  }
});

live("root's own, a file that is none, and none at all are refused in words", needs, async () => {
  if (uid === 0) return;
  const own = await joins('/proc/self/ns/net');
  assert.is(own.code, 125);
  assert.match(own.stderr, /root's own user namespace|above yours/);
  assert.match((await joins('/etc/hostname')).stderr, /no namespace/);
  assert.match((await joins('/nosuch/net')).stderr, /nosuch/);
});

/** The program in the namespace ends, and with it whoever waits for it. */
async function ended(child: ChildProcess, pid: number): Promise<void> {
  const gone = finished(child);
  process.kill(pid, 'SIGKILL');
  await gone;
}

live.run();
