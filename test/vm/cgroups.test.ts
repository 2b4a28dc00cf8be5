/** Where containers are in the tree of cgroups, from wherever they are started; and what is said when something of it is not ours. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { rootless } from '../support/cli.ts';
import { run, runArgs, shell } from '../support/container.ts';
import { detached, ok } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';
import { cgroupOf, from } from '../support/places.ts';
import { good, inPlace } from '../support/vm.ts';

const MiB = 1 << 20;
const inspected = async (id: string, field: string) => (await ok(['inspect', '--format', `{{${field}}}`, id])).trim();
const read = (folder: string, file: string) => readFileSync(join(folder, file), 'latin1').trim();

for (const place of ['session', 'bare'] as const) {
  live(`limits bind from ${place === 'bare' ? 'a process without session and variables' : "a login's scope"}`, [], async () => {
    const output = await from(place, runArgs(['-m', '64m'], ['sh', '-c', 'cat /proc/self/cgroup /sys/fs/cgroup/memory.max']));
    assert.is(output.code, 0, output.stderr);
    assert.is(output.stdout, `0::/\n${64 * MiB}\n`);
  });
}

live('what goes on alone is in a scope of its own, its monitor beside it; nothing of that stays', [], async () => {
  let scope = '';
  await detached([], ['sleep', '600'], async (id) => {
    const folder = cgroupOf(await inspected(id, '.State.Pid'));
    scope = dirname(folder);
    assert.is(basename(scope), `rootless-${id}.scope`);
    assert.is(cgroupOf(await inspected(id, '.Monitor.Pid')), join(scope, 'monitor'));
    assert.ok(scope.includes('/user@'), scope);
    assert.equal(readdirSync(scope, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name).sort(), ['container', 'monitor']); // biome-ignore format: a list
  });
  await eventually(() => !existsSync(scope));
});

live('started in a login session it outlives the session', [], async () => {
  const output = await from('session', ['run', '-d', '--name', 'stays', ...runArgs([], []).slice(2), 'sleep', '600']);
  assert.is(output.code, 0, output.stderr);
  assert.is(await inspected('stays', '.State.Running'), 'true');
  await ok(['rm', '-f', '-t', '0', 'stays']);
});

live('a restarted container is in the same scope, with the same limits', [], async () => {
  await detached(['-m', '64m', '--restart', 'always'], ['sleep', '600'], async (id) => {
    const [pid, folder] = [await inspected(id, '.State.Pid'), cgroupOf(await inspected(id, '.State.Pid'))];
    // Not the stop signal: that would be meant for good.
    await ok(['kill', '-s', 'USR1', id]);
    await eventually(async () => {
      const now = await inspected(id, '.State.Pid');
      return now !== pid && now !== '0' && cgroupOf(now) === folder && read(folder, 'memory.max') === String(64 * MiB);
    });
  });
});

live('every limit is a file of the cgroup', [], async () => {
  const flags = ['-m', '64m', '--memory-swap', '96m', '--memory-reservation', '16m', '--cpu-shares', '2048', '--cpu-quota', '50000'];
  const more = ['--cpu-period', '200000', '--pids-limit', '50', '--cpuset-mems', '0', '--cgroup-conf', 'memory.high=33554432'];
  const files = ['memory.max', 'memory.swap.max', 'memory.low', 'cpu.weight', 'cpu.max', 'pids.max', 'cpuset.mems', 'memory.high'];
  const script = `cd /sys/fs/cgroup; for file in ${files.join(' ')}; do cat $file; done`;
  const wanted = [64 * MiB, 32 * MiB, 16 * MiB, 174, '50000 200000', 50, 0, 32 * MiB];
  assert.equal((await shell([...flags, ...more], script)).split('\n'), wanted.map(String));
});

live('reads and writes of a disk are held back by number', [], async () => {
  const flags = ['--device-read-bps', '/dev/vda:1mb', '--device-write-iops', '/dev/vda:100'];
  assert.match(await shell(flags, 'cat /sys/fs/cgroup/io.max'), /^\d+:0 rbps=1048576 wbps=max riops=max wiops=100$/);
});

live('and really: eight megabytes at one a second take their time', [], async () => {
  const folder = mkdtempSync(join(homedir(), 'slow-'));
  try {
    const script = 'begun=$(date +%s); dd if=/dev/zero of=/disk/filled bs=1M count=8 conv=fsync 2>/dev/null; echo $(($(date +%s) - begun))';
    const flags = ['-v', `${folder}:/disk`, '--device-write-bps', '/dev/vda:1mb'];
    const seconds = Number(await shell(flags, script));
    assert.ok(seconds >= 6, `${seconds} s`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

live('limits change while it runs, and what was not named stays', [], async () => {
  await detached(['-m', '64m', '--cpus', '0.5'], ['sleep', '600'], async (id) => {
    const folder = cgroupOf(await inspected(id, '.State.Pid'));
    await ok(['update', '-m', '128m', '--memory-swap', '128m', '--pids-limit', '20', id]);
    assert.equal([read(folder, 'memory.max'), read(folder, 'memory.swap.max')], [String(128 * MiB), '0']);
    assert.equal([read(folder, 'pids.max'), read(folder, 'cpu.max')], ['20', '50000 100000']);
  });
});

live('pause freezes the cgroup, and only that', [], async () => {
  await detached([], ['sleep', '600'], async (id) => {
    const folder = cgroupOf(await inspected(id, '.State.Pid'));
    await ok(['pause', id]);
    assert.match(read(folder, 'cgroup.events'), /frozen 1/);
    assert.match(read(join(dirname(folder), 'monitor'), 'cgroup.events'), /frozen 0/);
    await ok(['unpause', id]);
    assert.match(read(folder, 'cgroup.events'), /frozen 0/);
  });
});

live('stats has pressure and the peak of memory', [], async () => {
  await detached(['-m', '64m'], ['sleep', '600'], async (id) => {
    const row = JSON.parse(await ok(['stats', '--no-stream', '--format', 'json', id])) as Record<string, unknown>;
    const raw = row['Raw'] as Record<string, unknown>;
    assert.is(raw['source'], 'cgroup');
    assert.is(raw['memoryLimit'], 64 * MiB);
    assert.ok(Number(raw['memoryPeak']) > 0);
    assert.ok('memory' in (raw['pressure'] as object));
  });
});

live('a controller that systemd gives to nobody is named, with the commands that hand it down, and then it limits', [], async () => {
  const flags = ['--cgroup-conf', 'hugetlb.2MB.max=0'];
  if (!readFileSync('/sys/fs/cgroup/cgroup.controllers', 'latin1').includes('hugetlb')) {
    assert.match((await run(flags, ['true'])).stderr, /cannot limit hugetlb: this kernel has no such controller/);
    return;
  }
  const output = await run(flags, ['true']);
  assert.is(output.code, 125);
  assert.match(output.stderr, /cannot limit hugetlb: not delegated to you/);
  const fix = /fix: (for .* done)/.exec(output.stderr)?.[1] ?? '';
  good(inPlace('user', fix));
  assert.is(await shell(flags, 'cat /sys/fs/cgroup/hugetlb.2MB.max'), '0');
});

live('a controller that no kernel has is named as that', [], async () => {
  const output = await run(['--cgroup-conf', 'nonsense.max=0'], ['true']);
  assert.is(output.code, 125);
  assert.match(output.stderr, /cannot limit nonsense: this kernel has no such controller[\s\S]*why: .*memory/);
});

live('a value that the kernel refuses is named, and nothing is left', [], async () => {
  const output = await run(['--cpuset-cpus', '4096'], ['true']);
  assert.is(output.code, 125);
  assert.match(output.stderr, /the kernel refuses "cpuset\.cpus"/);
});

live('--cgroup-parent is a slice of the user', [], async () => {
  await detached(['--cgroup-parent', 'lab-things.slice'], ['sleep', '600'], async (id) => {
    assert.match(cgroupOf(await inspected(id, '.State.Pid')), /\/lab\.slice\/lab-things\.slice\/rootless-/);
    assert.is(await inspected(id, '.HostConfig.CgroupParent'), 'lab-things.slice');
  });
});

live('--cgroups=no-conmon leaves the monitor where it is', [], async () => {
  await detached(['--cgroups', 'no-conmon'], ['sleep', '600'], async (id) => {
    assert.is(basename(cgroupOf(await inspected(id, '.State.Pid'))), `rootless-${id}.scope`);
    assert.is(cgroupOf(await inspected(id, '.Monitor.Pid')), cgroupOf('self'));
  });
});

live('--cgroups=disabled stays with its caller, and --cgroupns=host sees it', [], async () => {
  const seen = await shell(['--cgroups', 'disabled', '--cgroupns', 'host'], 'cat /proc/self/cgroup');
  assert.is(join('/sys/fs/cgroup', seen.replace('0::', '')), cgroupOf('self'));
});

live('exec is in the container cgroup, and its memory counts there', [], async () => {
  await detached(['-m', '64m'], ['sleep', '600'], async (id) => {
    assert.is((await ok(['exec', id, 'cat', '/proc/self/cgroup'])).trim(), '0::/');
    const output = await rootless(['exec', id, 'tail', '/dev/zero']);
    assert.is(output.code, 137, output.stderr);
  });
});

live.run();
