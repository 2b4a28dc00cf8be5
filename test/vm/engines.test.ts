/** podman's verbs that want a cgroup, with the helper as its runtime, by either manager of cgroups. */

import { spawnSync } from 'node:child_process';
import * as assert from 'uvu/assert';
import { helper } from '../support/checkout.ts';
import { busyboxRootfs } from '../support/images.ts';
import { live } from '../support/live.ts';
import { slowness } from '../support/slow.ts';
import { withTmp } from '../support/tmp.ts';

const MiB = 1 << 20;

for (const manager of ['systemd', 'cgroupfs'] as const) {
  live(
    `a container of podman with its ${manager} manager is counted, held still, let go on, given other limits`,
    [],
    () =>
      withTmp((folder) => {
        busyboxRootfs(folder);
        const podman = (...args: string[]) => {
          const options = { encoding: 'utf8', timeout: 60_000 * slowness } as const;
          const { status, stdout, stderr } = spawnSync('podman', ['--runtime', helper, '--cgroup-manager', manager, ...args], options);
          assert.is(status, 0, `${args.join(' ')}: ${stderr}`);
          return stdout.trim();
        };
        const status = () => podman('inspect', '--format', '{{.State.Status}}', 'e');
        const flags = ['--name', 'e', '--network', 'none', '-m', '64m', '--pids-limit', '30'];
        podman('run', '-d', ...flags, '--rootfs', folder, 'sh', '-c', 'while :; do sleep 0.2; done');
        try {
          assert.match(
            podman('stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}} {{.MemUsage}}', 'e'),
            /^e [1-9]\d* [1-9].*67\.11MB$/,
          );
          podman('pause', 'e');
          assert.is(status(), 'paused');
          podman('unpause', 'e');
          assert.is(status(), 'running');
          podman('update', '--memory', '96m', '--pids-limit', '40', 'e');
          const files = podman('exec', 'e', 'cat', '/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/pids.max');
          assert.is(files, `${96 * MiB}\n40`);
        } finally {
          podman('rm', '-f', '-t', '0', 'e');
        }
      }),
    { seconds: 180 },
  );
}

live.run();
