/** systemd as a container's program: it boots, divides its own cgroup, keeps to its limits, and halts when it is stopped. */

import { readdirSync, rmSync } from 'node:fs';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { rootless } from '../support/cli.ts';
import { debianRootfs } from '../support/debian-rootfs.ts';
import { ok } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';
import { cgroupOf } from '../support/places.ts';

const rootfs = debianRootfs(mkdtempSync(join(tmpdir(), 'debian-')));
process.once('exit', () => rmSync(rootfs, { recursive: true, force: true }));

const started = ['run', '-d', '--network', 'none', '--name', 'sd', '-m', '256m', `rootfs:${rootfs}`, '/sbin/init'];

live('systemd boots, its services have cgroups of their own, and SIGRTMIN+3 halts it', [], async () => {
  await ok(started);
  try {
    // It listens only after a while, and then still has services to start.
    await eventually(async () => {
      const state = await rootless(['exec', 'sd', 'systemctl', 'is-system-running']);
      assert.match(state.stdout, /^(running|degraded)$/m, `${state.stderr}${(await rootless(['logs', 'sd'])).stdout}`);
    }, 30_000);
    const folder = cgroupOf((await ok(['inspect', '--format', '{{.State.Pid}}', 'sd'])).trim());
    assert.match(folder, /\/container\/init\.scope$/);
    assert.ok(readdirSync(join(folder, '..')).includes('system.slice'));
    assert.is((await ok(['exec', 'sd', 'systemctl', 'is-active', 'systemd-journald'])).trim(), 'active');
    const limit = await rootless(['exec', 'sd', 'sh', '-c', 'echo max > /sys/fs/cgroup/memory.max']);
    assert.is.not(limit.code, 0, 'the limit of the container is not its own to change');
    // Without a bus only what needs no answer can be asked.
    await ok(['exec', 'sd', 'systemd-run', '--quiet', '--unit', 'held', '-p', 'MemoryMax=32M', 'sleep', '600']);
    assert.is((await ok(['exec', 'sd', 'cat', '/sys/fs/cgroup/system.slice/held.service/memory.max'])).trim(), String(32 << 20));
    assert.is((await ok(['inspect', '--format', '{{.Config.StopSignal}}', 'sd'])).trim(), 'SIGRTMIN+3');
    await ok(['stop', '-t', '120', 'sd']);
    assert.is.not((await ok(['inspect', '--format', '{{.State.ExitCode}}', 'sd'])).trim(), '137');
  } finally {
    await rootless(['rm', '-f', '-t', '0', 'sd']);
  }
}, { seconds: 240 }); // biome-ignore format: one test

live('a program that is no init gets a cgroup that it cannot write, unless that was asked for', [], async () => {
  const script = ['sh', '-c', 'mkdir /sys/fs/cgroup/x && echo made; grep -c " /run tmpfs" /proc/mounts'];
  const plain = await rootless(['run', '--rm', '--network', 'none', '-m', '64m', `rootfs:${rootfs}`, ...script]);
  assert.is(plain.stdout, '0\n', plain.stderr);
  const asked = await rootless(['run', '--rm', '--network', 'none', '--systemd', 'always', `rootfs:${rootfs}`, ...script]);
  assert.is(asked.stdout, 'made\n1\n', asked.stderr);
});

live.run();
