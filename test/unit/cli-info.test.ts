/** `info` for scripts: docker's numbers of containers. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { counts } from '../../src/cli/info.ts';

test('containers are counted as docker counts them', () => {
  const of = (...statuses: readonly Parameters<typeof counts>[0][number]['status'][]) => counts(statuses.map((status) => ({ status })));
  assert.equal(of(), { Containers: 0, ContainersRunning: 0, ContainersPaused: 0, ContainersStopped: 0 });
  assert.equal(of('running', 'restarting', 'paused', 'created', 'exited', 'dead'), {
    Containers: 6,
    ContainersRunning: 2,
    ContainersPaused: 1,
    ContainersStopped: 3,
  });
});

test.run();
