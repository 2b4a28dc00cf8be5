/** `update`: limits that change under a running container, and numbers of `stats` that follow. */

import * as assert from 'uvu/assert';
import { detached, ok } from '../support/detached.ts';
import { live } from '../support/live.ts';

const read = async (id: string, file: string): Promise<string> => (await ok(['exec', id, 'cat', `/sys/fs/cgroup/${file}`])).trim();

live('each limit can be changed while it runs, and stays when it starts again', [], async () => {
  await detached(['-m', '64m'], ['sleep', '600'], async (id) => {
    await ok(['update', '--memory', '128m', '--memory-swap', '128m', '--cpus', '0.5', '--pids-limit', '77', '--cpuset-cpus', '0', id]);
    const check = async () => {
      assert.is(await read(id, 'memory.max'), String(128 << 20));
      assert.is(await read(id, 'memory.swap.max'), '0');
      assert.is(await read(id, 'cpu.max'), '50000 100000');
      assert.is(await read(id, 'pids.max'), '77');
      assert.is(await read(id, 'cpuset.cpus'), '0');
    };
    await check();
    await ok(['restart', '-t', '0', id]);
    await check();
  });
});

live('a container without limits has a group all the same, and can get some', [], async () => {
  await detached([], ['sleep', '600'], async (id) => {
    await ok(['update', '--memory', '96m', id]);
    assert.is(await read(id, 'memory.max'), String(96 << 20));
  });
});

live('stats shows what the kernel counts, against the limit', [], async () => {
  await detached(['-m', '200m', '--pids-limit', '30'], ['sh', '-c', 'x=$(seq 1 400000); sleep 600'], async (id) => {
    const [line = ''] = (await ok(['stats', '--no-stream', '--format', 'json', id])).trim().split('\n');
    const { Raw: raw } = JSON.parse(line) as { readonly Raw: Record<string, unknown> };
    assert.is(raw['source'], 'cgroup');
    assert.is(raw['memoryLimit'], 200 << 20);
    assert.ok(Number(raw['memory']) > 0 && Number(raw['memory']) < 200 << 20);
    assert.ok(Number(raw['tasks']) >= 1);
  });
});

live.run();
