/** docker's rules for the first process: command, environment, capabilities, limits. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatConfig } from '../../src/runtime/bundle.ts';
import { allCapabilities, chooseCapabilities, defaultCapabilities } from '../../src/runtime/capabilities.ts';
import { defaults } from '../../src/runtime/options.ts';
import { buildProcess, chooseCommand, type ImageDefaults, mergeEnv, splitGroups } from '../../src/runtime/process.ts';
import { buildSpec } from '../../src/runtime/spec.ts';
import { hasCode } from '../support/errors.ts';

const image: ImageDefaults = { entrypoint: [], cmd: [], env: [], user: '', workingDir: '', volumes: [], stopSignal: undefined, labels: {} };

const commands: readonly (readonly [
  string,
  readonly string[],
  readonly string[],
  readonly string[] | undefined,
  readonly string[],
  readonly string[],
])[] = [
  ['CMD alone', [], ['c', '1'], undefined, [], ['c', '1']],
  ['ENTRYPOINT and CMD', ['e'], ['c'], undefined, [], ['e', 'c']],
  ['arguments instead of CMD', ['e'], ['c'], undefined, ['a', 'b'], ['e', 'a', 'b']],
  ['--entrypoint without CMD', ['e'], ['c'], ['x'], [], ['x']],
  ['--entrypoint with arguments', ['e'], ['c'], ['x'], ['a'], ['x', 'a']],
  ['an emptied entrypoint with arguments', ['e'], ['c'], [], ['a'], ['a']],
];

for (const [name, entrypoint, cmd, asked, command, wanted] of commands) {
  test(`the command is ${name}`, () => {
    assert.equal(chooseCommand({ image: 'i', entrypoint: asked, command }, { ...image, entrypoint, cmd }), wanted);
  });
}

test('no command at all is refused, also when --entrypoint "" leaves none', () => {
  assert.throws(() => chooseCommand({ image: 'i', entrypoint: undefined, command: [] }, image), hasCode('COMMAND_MISSING'));
  assert.throws(() => chooseCommand({ image: 'i', entrypoint: [], command: [] }, { ...image, cmd: ['c'] }), hasCode('COMMAND_MISSING'));
});

test('later environment replaces earlier in place, and PATH, HOSTNAME and TERM have defaults', () => {
  assert.equal(mergeEnv(['A=1', 'B=2'], ['A=3', 'C='], 'box', false), [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'HOSTNAME=box',
    'A=3',
    'B=2',
    'C=',
  ]);
  assert.ok(mergeEnv([], [], 'box', true).includes('TERM=xterm'));
  assert.equal(mergeEnv(['PATH=/x', 'TERM=dumb'], ['HOSTNAME=y'], 'box', true), ['PATH=/x', 'HOSTNAME=y', 'TERM=dumb']);
  assert.ok(mergeEnv(['E=a=b=c'], [], 'box', false).includes('E=a=b=c'));
});

const without = (...names: string[]) => defaultCapabilities.filter((name) => !names.includes(name));
const capabilities: readonly (readonly [string, readonly string[], readonly string[], readonly string[]])[] = [
  ['by default', [], [], defaultCapabilities],
  ['one more', ['net_admin'], [], [...defaultCapabilities, 'CAP_NET_ADMIN']],
  ['with the prefix', ['CAP_SYS_TIME'], [], [...defaultCapabilities, 'CAP_SYS_TIME']],
  ['one less', [], ['CHOWN'], without('CAP_CHOWN')],
  ['none', [], ['ALL'], []],
  ['none but one', ['chown'], ['all'], ['CAP_CHOWN']],
  ['all', ['ALL'], [], allCapabilities],
  ['all but one', ['ALL'], ['sys_admin'], allCapabilities.filter((name) => name !== 'CAP_SYS_ADMIN')],
  ['one that is there already', ['kill'], [], defaultCapabilities],
];

for (const [name, add, drop, wanted] of capabilities) {
  test(`capabilities: ${name}`, () => assert.equal([...chooseCapabilities(add, drop, false)].sort(), [...wanted].sort()));
}

test('there are 41 capabilities, docker gives 14, and --privileged gives all', () => {
  assert.is(allCapabilities.length, 41);
  assert.is(defaultCapabilities.length, 14);
  assert.equal(chooseCapabilities([], [], true), allCapabilities);
});

test('a misspelt capability is refused', () => {
  assert.throws(() => chooseCapabilities(['NET_ADMINN'], [], false), hasCode('CAPABILITY_UNKNOWN'));
  assert.throws(() => chooseCapabilities([], ['CAP_'], false), hasCode('CAPABILITY_UNKNOWN'));
});

const ask = { ...defaults, image: 'i', command: ['true'] };

test('nothing is ambient or inheritable, so that other users than root lose all of it', () => {
  const { capabilities: sets } = buildProcess(ask, image, 'h');
  assert.equal([sets.ambient, sets.inheritable], [[], []]);
  assert.equal(sets.bounding, sets.effective);
});

test('--privileged allows new privileges, --security-opt decides otherwise', () => {
  assert.is(buildProcess(ask, image, 'h').noNewPrivileges, true);
  assert.is(buildProcess({ ...ask, noNewPrivileges: false }, image, 'h').noNewPrivileges, false);
  assert.is(buildProcess({ ...ask, privileged: true }, image, 'h').noNewPrivileges, false);
});

test('the working folder is that of the flag, of the image, or the root', () => {
  assert.is(buildProcess({ ...ask, workdir: '/w' }, { ...image, workingDir: '/i' }, 'h').cwd, '/w');
  assert.is(buildProcess(ask, { ...image, workingDir: '/i' }, 'h').cwd, '/i');
  assert.is(buildProcess(ask, image, 'h').cwd, '/');
});

test('added groups are numbers, or names for the container to look up', () => {
  assert.equal(buildProcess({ ...ask, groupAdd: ['7', '4294967294'] }, image, 'h').user.additionalGids, [7, 4294967294]);
  assert.equal(splitGroups(['audio', '7', '4294967295']), { ids: [7], names: ['audio', '4294967295'] });
});

test('ulimits have the names of the standard; an unknown one is refused', () => {
  const limit = (name: string) => buildProcess({ ...ask, ulimits: [{ name, soft: 1, hard: 2 }] }, image, 'h').rlimits;
  assert.equal(limit('nofile'), [{ type: 'RLIMIT_NOFILE', soft: 1, hard: 2 }]);
  assert.throws(() => limit('files'), hasCode('ULIMIT_UNKNOWN'));
});

test('an unlimited limit is 2^64-1 in config.json, and no argument can be mistaken for it', () => {
  const config = buildSpec(
    { ...ask, command: ['echo', 'infinity', '"\\u0000infinity"'], ulimits: [{ name: 'core', soft: -1, hard: -1 }] },
    {
      id: 'x'.repeat(64),
      image,
      mapping: { mode: 'single', idMap: { uid: [], gid: [] } },
      root: { path: '/r' },
      files: [],
      volumes: {},
      seccomp: undefined,
      network: {},
      cgroup: undefined,
    },
  );
  const text = formatConfig(config);
  assert.match(text, /"type":"RLIMIT_CORE","soft":18446744073709551615,"hard":18446744073709551615/);
  assert.equal((JSON.parse(text) as typeof config).process.args, ['echo', 'infinity', '"\\u0000infinity"']);
});

test.run();
