/** Limits that bind: what the kernel does to a container that wants more, and what rootless says about it. */

import { mkdtempSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { rootless } from '../support/cli.ts';
import { run, shell } from '../support/container.ts';
import { detached, ok } from '../support/detached.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';

/** Fills memory until it is killed. */
const glutton = ['sh', '-c', 'x=$(dd if=/dev/zero bs=1M count=200 2>/dev/null | tr "\\0" x); echo ${#x}'];

live('-m 64m kills what wants more: 137, OOMKilled, ps and events say so', [], async () => {
  const name = 'glutton';
  await ok(['create', '--name', name, '--network', 'none', '-m', '64m', busyboxImage(), 'tail', '/dev/zero']);
  const output = await rootless(['start', '-a', name]);
  assert.is(output.code, 137, output.stderr);
  assert.is((await ok(['inspect', '--format', '{{.State.OOMKilled}} {{.State.ExitCode}}', name])).trim(), 'true 137');
  assert.match(await ok(['ps', '-a', '--filter', `name=${name}`]), /Exited \(137\)/);
  assert.match(await ok(['events', '--until', '0s', '--since', '1h', '--filter', `container=${name}`]), / oom /);
  await ok(['rm', name]);
});

live('the kernel kills the one that wanted more; with memory.oom.group all of the container', [], async () => {
  const script = ['sh', '-c', 'tail /dev/zero; echo it ended with $?'];
  const one = await run(['-m', '64m'], script);
  assert.equal([one.code, one.stdout.trim()], [0, 'it ended with 137'], one.stderr);
  const all = await run(['-m', '64m', '--cgroup-conf', 'memory.oom.group=1'], script);
  assert.equal([all.code, all.stdout.trim()], [137, ''], all.stderr);
});

live('memory.high is no wall: what can be written back is, it is counted, and nothing is killed', [], async () => {
  // On a disk: what is in memory for good is throttled until it stands still.
  const folder = mkdtempSync(join(homedir(), 'high-'));
  try {
    const script =
      'dd if=/dev/zero of=/disk/filled bs=1M count=48 2>/dev/null && wc -c < /disk/filled; grep ^high /sys/fs/cgroup/memory.events';
    const flags = ['-v', `${folder}:/disk`, '--cgroup-conf', 'memory.high=16777216', '-m', '512m'];
    const [size, high] = (await shell(flags, script)).split('\n');
    assert.is(size?.trim(), String(48 << 20));
    assert.ok(Number(high?.slice('high '.length)) > 0, high);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

live('below its limit the same program lives, and sees the limit', [], async () => {
  assert.is(await shell(['-m', '64m'], 'cat /sys/fs/cgroup/memory.max'), String(64 << 20));
  const { code } = await run(['-m', '512m'], glutton);
  assert.is(code, 0);
});

live('--memory-swap is memory and swap together', [], async () => {
  const script = 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory.swap.max';
  assert.is(await shell(['-m', '64m', '--memory-swap', '96m'], script), `${64 << 20}\n${32 << 20}`);
  assert.is(await shell(['-m', '64m', '--memory-swap', '-1'], script), `${64 << 20}\nmax`);
});

live('--pids-limit refuses the process that is too many', [], async () => {
  const script = 'i=0; while [ $i -lt 12 ]; do sleep 60 & i=$((i+1)); done; echo all';
  const output = await run(['--pids-limit', '8'], ['sh', '-c', script]);
  assert.match(output.stderr, /can't fork/);
  assert.not.match(output.stdout, /all/);
});

live('--cpus holds two busy processes back to the share', [], async () => {
  await detached(['--cpus', '0.5'], ['sh', '-c', 'while :; do :; done & while :; do :; done'], async (id) => {
    const [row = ''] = (await ok(['stats', '--no-stream', '--interval', '4', '--format', '{{.CPUPerc}}', id])).trim().split('\n');
    const percent = Number.parseFloat(row);
    assert.ok(percent > 20 && percent < 75, row);
  });
});

live('--cpuset-cpus leaves one processor', [], async () => {
  assert.is(await shell(['--cpuset-cpus', '1'], 'nproc; cat /sys/fs/cgroup/cpuset.cpus.effective'), '1\n1');
});

live.run();
