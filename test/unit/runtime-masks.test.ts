/** Which paths of /proc and /sys are covered. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { coveredPaths, opensCgroup } from '../../src/runtime/masks.ts';

const covered = (mask: string[], unmask: 'ALL' | string[], privileged = false) => coveredPaths({ privileged, masks: { mask, unmask } });

test("docker's lists are covered unless something else is asked for", () => {
  const { maskedPaths, readonlyPaths } = covered([], []);
  assert.ok(maskedPaths.includes('/proc/kcore') && maskedPaths.includes('/sys/firmware') && readonlyPaths.includes('/proc/sys'));
});

test('unmask takes single paths, everything below a folder, or all of both lists', () => {
  const some = covered([], ['/sys/firmware', '/proc/sys']);
  assert.not(some.maskedPaths.includes('/sys/firmware') || some.readonlyPaths.includes('/proc/sys'));
  assert.ok(some.maskedPaths.includes('/proc/kcore') && some.readonlyPaths.includes('/proc/irq'));
  const below = covered([], ['/proc/*']);
  assert.equal(below.readonlyPaths, []);
  assert.ok(below.maskedPaths.every((path) => path.startsWith('/sys/')) && below.maskedPaths.length > 0);
  assert.equal(covered([], 'ALL'), { maskedPaths: [], readonlyPaths: [] });
  assert.equal(covered([], [], true), { maskedPaths: [], readonlyPaths: [] });
});

test('what is to be masked is, whatever else is said, and once', () => {
  assert.equal(covered(['/proc/uptime'], 'ALL').maskedPaths, ['/proc/uptime']);
  assert.equal(covered(['/proc/kcore'], []).maskedPaths.filter((path) => path === '/proc/kcore').length, 1);
});

test('a cgroup may be divided where it is unmasked by name, by its folder, by ALL, or with --privileged', () => {
  const opens = (unmask: 'ALL' | string[], privileged = false) => opensCgroup({ privileged, masks: { mask: [], unmask } });
  assert.equal([opens([]), opens(['/proc/kcore']), opens(['/sys/fs'])], [false, false, false]);
  assert.equal([opens(['/sys/fs/cgroup']), opens(['/sys/fs/*']), opens('ALL'), opens([], true)], [true, true, true, true]);
});

test.run();
