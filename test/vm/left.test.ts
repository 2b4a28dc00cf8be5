/** Nothing stays in the tree of cgroups or in systemd: after an end, a removal, a kill of the monitor, and a kill of everything. */

import * as assert from 'uvu/assert';
import { rootless, start, until } from '../support/cli.ts';
import { run } from '../support/container.ts';
import { ok } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { containerGroups, rootlessUnits } from '../support/vm.ts';

async function leavesNothing(body: () => Promise<void>): Promise<void> {
  const before = { groups: containerGroups(), units: rootlessUnits() };
  await body();
  await eventually(() => {
    assert.equal(
      containerGroups().filter((path) => !before.groups.includes(path)),
      [],
    );
    assert.equal(
      rootlessUnits().filter((name) => !before.units.includes(name)),
      [],
    );
  });
}

live('a container that ends', [], () =>
  leavesNothing(async () => {
    assert.is((await run(['-m', '64m', '--cpus', '1'], ['true'])).code, 0);
  }),
);

live('a container in the background that is stopped and removed', [], () =>
  leavesNothing(async () => {
    const id = (await ok(['run', '-d', '--network', 'none', '-m', '64m', busyboxImage(), 'sleep', '300'])).trim();
    assert.ok(
      containerGroups().some((path) => path.includes(id.slice(0, 12))),
      containerGroups().join('\n'),
    );
    await ok(['rm', '-f', '-t', '0', id]);
  }),
);

live('two at the same time in one session: the end of one is not the end of the other', [], () =>
  leavesNothing(async () => {
    const ids = [];
    for (const memory of ['64m', '96m'])
      ids.push((await ok(['run', '-d', '--network', 'none', '-m', memory, busyboxImage(), 'sleep', '300'])).trim());
    const [first = '', second = ''] = ids;
    await ok(['rm', '-f', '-t', '0', first]);
    assert.is((await ok(['exec', second, 'cat', '/sys/fs/cgroup/memory.max'])).trim(), String(96 << 20));
    await ok(['rm', '-f', '-t', '0', second]);
  }),
);

live('a command line that is killed takes its container along', [], () =>
  leavesNothing(async () => {
    const child = start(['run', '--rm', '--network', 'none', '-m', '64m', busyboxImage(), 'sh', '-c', 'echo up; sleep 300']);
    await until(child, 'up');
    child.kill('SIGKILL');
  }),
);

live('a monitor that is killed: the next command clears up', [], () =>
  leavesNothing(async () => {
    const id = (await ok(['run', '-d', '--network', 'none', '-m', '64m', busyboxImage(), 'sleep', '300'])).trim();
    const [{ Monitor: monitor = { Pid: 0 } } = {}] = JSON.parse(await ok(['inspect', id])) as {
      readonly Monitor?: { readonly Pid: number };
    }[];
    assert.ok(monitor.Pid > 1);
    process.kill(monitor.Pid, 'SIGKILL');
    await eventually(async () => assert.not.match(await ok(['ps', '-q', '--no-trunc']), new RegExp(id)));
    assert.is((await rootless(['rm', '-f', id])).code, 0);
  }),
);

live.run();
