/** Which programs are inits, and what a container gets for one. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { defaults } from '../../src/runtime/options.ts';
import type { ContainerOptions } from '../../src/runtime/options.ts';
import type { ImageDefaults } from '../../src/runtime/process.ts';
import { isSystemd, withSystemd } from '../../src/runtime/systemd.ts';

const id = '0123456789abcdef'.repeat(4);
const image: ImageDefaults = {
  entrypoint: [],
  cmd: ['/sbin/init'],
  env: [],
  user: '',
  workingDir: '',
  volumes: [],
  stopSignal: undefined,
  labels: {},
};
const prepared = (more: Partial<ContainerOptions> = {}, of = image) => withSystemd({ ...defaults, image: 'i', ...more }, of, id);
const targets = (options: ContainerOptions) => options.mounts.map(({ target }) => target);

test('an init gets folders in memory, a name for what it is in, and its own signal', () => {
  const options = prepared();
  assert.ok(isSystemd(options));
  assert.equal(targets(options), ['/run', '/run/lock', '/tmp', '/var/log/journal']);
  assert.equal(options.env, ['container=oci', 'container_uuid=01234567-89ab-cdef-0123-456789abcdef']);
  assert.is(options.stopSignal, 'SIGRTMIN+3');
});

test('what was asked for by name stays', () => {
  const mounts = [{ kind: 'tmpfs', target: '/run/', options: [] }] as const;
  const options = prepared({ mounts, stopSignal: 'SIGTERM', env: ['container=mine'] });
  assert.equal(targets(options), ['/run/', '/run/lock', '/tmp', '/var/log/journal']);
  assert.is(options.stopSignal, 'SIGTERM');
  assert.is(options.env.at(-1), 'container=mine');
  assert.is(prepared({}, { ...image, stopSignal: 'SIGPWR' }).stopSignal, 'SIGPWR');
});

const programs: readonly (readonly [readonly string[], ContainerOptions['systemd'], boolean])[] = [
  [['/sbin/init'], undefined, true],
  [['/lib/systemd/systemd', '--user'], 'auto', true],
  [['init'], 'auto', false],
  [['/bin/sh', '/sbin/init'], 'auto', false],
  [['/sbin/init'], 'never', false],
  [['/bin/sh'], 'always', true],
];

for (const [command, systemd, wanted] of programs) {
  test(`${command.join(' ')} with --systemd ${systemd ?? 'left out'} is ${wanted ? 'an' : 'no'} init`, () => {
    assert.is(isSystemd(prepared({ command, systemd })), wanted);
  });
}

test.run();
