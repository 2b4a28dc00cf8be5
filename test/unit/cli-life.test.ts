/** Flags about a container's life, as docker and podman read them: restarts, logs, health, secrets, limits, keys. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseHealthAction, parseHealthCommand, parseHealthTime, toHealth } from '../../src/cli/values/health.ts';
import {
  parseAnnotation,
  parseCpuset,
  parseExpose,
  parseMicroseconds,
  parseNotify,
  parseOomScore,
  parseShares,
  parseUmask,
} from '../../src/cli/values/ids.ts';
import { parseKeys } from '../../src/cli/values/keys.ts';
import { type LimitFlags, toLimits } from '../../src/cli/values/limits.ts';
import { parseLogDriver, parseLogOption, toLog } from '../../src/cli/values/log.ts';
import { parseSeconds, parseWhole } from '../../src/cli/values/numbers.ts';
import { parseRestart } from '../../src/cli/values/restart.ts';
import { parseSecret } from '../../src/cli/values/secret.ts';
import { hasCode } from '../support/errors.ts';
import { table } from '../support/values.ts';

table(
  '--restart',
  parseRestart,
  [
    ['no', { policy: 'no', retries: 0 }],
    ['', { policy: 'no', retries: 0 }],
    ['always', { policy: 'always', retries: 0 }],
    ['unless-stopped', { policy: 'unless-stopped', retries: 0 }],
    ['on-failure', { policy: 'on-failure', retries: 0 }],
    ['on-failure:3', { policy: 'on-failure', retries: 3 }],
  ],
  ['never', 'always:3', 'on-failure:x', 'on-failure:-1', 'on-failure:1:2', 'Always'],
);

table(
  '--log-driver',
  parseLogDriver,
  [
    ['json-file', 'json-file'],
    ['k8s-file', 'k8s-file'],
    ['none', 'none'],
  ],
  ['syslog', '', 'constructor'],
);

table('--log-opt', parseLogOption, [['a=b=c', ['a', 'b=c'] as readonly [string, string]]], ['max-size', '=x', '']);

test('options of a log are those of its driver', () => {
  assert.equal(toLog(undefined, []), { driver: 'json-file', maxSize: 0, maxFile: 1, whenFull: 'drop' });
  assert.equal(toLog('local', []), { driver: 'json-file', maxSize: 20 << 20, maxFile: 5, whenFull: 'drop' });
  const full = toLog('k8s-file', [
    ['max-size', '1m'],
    ['max-file', '3'],
    ['path', '/l'],
    ['tag', 't'],
    ['mode', 'non-blocking'],
    ['labels', 'x,y'],
    ['env-regex', '^A'],
    ['compress', 'true'],
  ]);
  const beside = { labels: ['x', 'y'], envRegex: '^A' };
  assert.equal(full, { driver: 'plain', maxSize: 1 << 20, maxFile: 3, path: '/l', tag: 't', whenFull: 'drop', ...beside });
});

for (const [driver, key, value] of [
  ['json-file', 'nope', '1'],
  ['json-file', 'max-size', 'x'],
  ['json-file', 'max-file', '0'],
  ['json-file', 'max-file', '3'],
  ['json-file', 'mode', 'fast'],
  ['journald', 'max-size', '1m'],
  ['none', 'path', '/l'],
  ['json-file', 'labels-regex', '('],
] as const) {
  test(`log option ${key}=${value} of ${driver} is refused`, () => {
    assert.throws(() => toLog(driver, [[key, value]]), hasCode('LOG_OPTION_INVALID'));
  });
}

table<readonly string[]>(
  '--health-cmd',
  parseHealthCommand,
  [
    ['curl -f localhost', ['CMD-SHELL', 'curl -f localhost']],
    ['["curl", "-f"]', ['CMD', 'curl', '-f']],
    ['["CMD-SHELL", "x"]', ['CMD-SHELL', 'x']],
    ['[ -f /ready ]', ['CMD-SHELL', '[ -f /ready ]']],
    ['[1]', ['CMD-SHELL', '[1]']],
    ['none', ['NONE']],
  ],
  [],
);
table('a time of health', parseHealthTime, [['30s', 3e10], ['1m30s', 9e10], ['500ms', 5e8], ['0', 0], ['disable', 0]], ['30', '-1s', '1us', 'x']); // biome-ignore format: a table
table('--health-on-failure', parseHealthAction, [['kill', 'kill' as const]], ['explode', '']);

const noHealth = {
  'no-healthcheck': false,
  'health-cmd': undefined,
  'health-interval': undefined,
  'health-timeout': undefined,
  'health-start-period': undefined,
  'health-start-interval': undefined,
  'health-retries': undefined,
  'health-on-failure': undefined,
};

test('--no-healthcheck switches off all, and stands alone', () => {
  assert.equal(toHealth({ ...noHealth, 'no-healthcheck': true }).test, ['NONE']);
  assert.equal(toHealth(noHealth).test, []);
  assert.throws(() => toHealth({ ...noHealth, 'no-healthcheck': true, 'health-retries': 3 }), hasCode('FLAGS_CONFLICT'));
});

const mounted = { name: 'key', as: 'mount' as const, target: 'key', uid: 0, gid: 0, mode: 0o444 };
table(
  '--secret',
  parseSecret,
  [
    ['key', mounted],
    ['id=key', mounted],
    ['key,target=/etc/k,uid=1,gid=2,mode=0400', { ...mounted, target: '/etc/k', uid: 1, gid: 2, mode: 0o400 }],
    ['source=key,type=env,target=KEY', { ...mounted, as: 'env', target: 'KEY' }],
    ['key,type=env', { ...mounted, as: 'env' }],
  ],
  ['', 'key,type=file', 'key,nope=1', 'key,mode=9', 'key,uid=ana', 'key,type=env,mode=0400', 'type=env', 'key,type=env,target=A=B'],
);

table('--umask', parseUmask, [['0022', 0o22], ['022', 0o22], ['7', 7], ['0777', 0o777]], ['8', 'x', '01777', '', '-1']); // biome-ignore format: a table
table('--cpuset-cpus', parseCpuset, [['0', '0'], ['0-3,7', '0-3,7']], ['', '3-1', 'a', '0,', '-1']); // biome-ignore format: a table
table('--expose', parseExpose, [['80', '80/tcp'], ['53/UDP', '53/udp'], ['9-10/tcp', '9-10/tcp']], ['0', '70000', '2-1', 'http', '80/sctp']); // biome-ignore format: a table
table('--oom-score-adj', parseOomScore, [['-1000', -1000], ['500', 500]], ['1001', 'x', '']); // biome-ignore format: a table
table('--cpu-shares', parseShares, [['0', 0], ['1', 2], ['512', 512]], ['-1', '262145']); // biome-ignore format: a table
table('--cpu-quota', parseMicroseconds, [['-1', -1], ['50000', 50_000]], ['-2', '1.5']); // biome-ignore format: a table
table('--annotation', parseAnnotation, [['a=b=c', ['a', 'b=c'] as readonly [string, string]], ['a=', ['a', ''] as const]], ['a', '=b']); // biome-ignore format: a table
table('--sdnotify', parseNotify, [['conmon', 'conmon' as const]], ['', 'systemd']);
table('--timeout', parseSeconds, [['0', 0], ['-1', -1], ['10', 10]], ['', '1s', '1.5', 'x']); // biome-ignore format: a table
table('a whole number', (text) => parseWhole(text, 1, 5), [['1', 1], ['+5', 5]], ['0', '6', '', '1e1']); // biome-ignore format: a table
table('--detach-keys', parseKeys, [['', ''], ['a', 'a'], ['ctrl-p,ctrl-q', 'ctrl-p,ctrl-q'], ['ctrl-@,ctrl-[', 'ctrl-@,ctrl-[']], ['ctrl-', 'ab', 'ctrl-1', 'a,,b', 'ä']); // biome-ignore format: a table

const noLimits: LimitFlags = {
  memory: undefined,
  'memory-swap': undefined,
  'memory-reservation': undefined,
  cpus: undefined,
  'cpu-shares': undefined,
  'cpu-period': undefined,
  'cpu-quota': undefined,
  'cpuset-cpus': undefined,
  'cpuset-mems': undefined,
  'pids-limit': undefined,
  'blkio-weight': undefined,
  'blkio-weight-device': [],
  'device-read-bps': [],
  'device-write-bps': [],
  'device-read-iops': [],
  'device-write-iops': [],
};

test('limits that are not named stay as they were, and 0 takes one away', () => {
  const before = { memory: 64, cpus: 2, pids: 5 };
  assert.equal(toLimits({ ...noLimits, 'pids-limit': 9 }, before), { memory: 64, cpus: 2, pids: 9 });
  assert.equal(toLimits({ ...noLimits, 'pids-limit': -1, cpus: 0 }, before), { memory: 64 });
});

test('of a disk what was said last counts, and other disks stay', () => {
  const [first, second] = [{ path: '/dev/a', value: 1 }, { path: '/dev/b', value: 2 }] as const; // biome-ignore format: a table
  const changed = toLimits({ ...noLimits, 'device-read-bps': [{ path: '/dev/a', value: 9 }] }, { readBps: [first, second] });
  assert.equal(changed, { readBps: [{ path: '/dev/a', value: 9 }, second] });
});

for (const [name, flags] of [
  ['swap without memory', { 'memory-swap': 5 }],
  ['swap below memory', { memory: 9, 'memory-swap': 5 }],
  ['reservation above memory', { memory: 9, 'memory-reservation': 10 }],
  ['--cpus with a quota', { cpus: 1, 'cpu-quota': 5 }],
  ['--cpus with a period', { cpus: 1, 'cpu-period': 5 }],
] as const) {
  test(`limits refuse ${name}`, () => {
    assert.throws(() => toLimits({ ...noLimits, ...flags }), hasCode('FLAGS_CONFLICT'));
  });
}

test.run();
