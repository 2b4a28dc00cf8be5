/** The values of flags, as docker reads them: tables of what is taken and what is refused. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseBytes, parseSwap } from '../../src/cli/values/bytes.ts';
import { parseDns, parseDnsOption, parseDnsSearch } from '../../src/cli/values/dns.ts';
import { parseDevice } from '../../src/cli/values/device.ts';
import { lookUp, parseEnv, parseKeyLines, parseLabel } from '../../src/cli/values/env.ts';
import { parseNetwork } from '../../src/cli/values/network.ts';
import { parseHostEntry, parseHostname, parseSignal, parseSysctl, parseUser } from '../../src/cli/values/names.ts';
import { parseCpus, parsePids } from '../../src/cli/values/numbers.ts';
import { parseWorkdir } from '../../src/cli/values/path.ts';
import { parsePort } from '../../src/cli/values/port.ts';
import { parsePull } from '../../src/cli/values/pull.ts';
import { parseCapability, parseSecurity } from '../../src/cli/values/security.ts';
import { parseUlimit } from '../../src/cli/values/ulimit.ts';
import { parseUserns } from '../../src/cli/values/userns.ts';
import { table } from '../support/values.ts';

table(
  'a size',
  parseBytes,
  [
    ['512', 512],
    ['512b', 512],
    ['64m', 64 * 1024 ** 2],
    ['64M', 64 * 1024 ** 2],
    ['64mb', 64 * 1024 ** 2],
    ['10KiB', 10240],
    ['1.5g', 1.5 * 1024 ** 3],
    ['.5k', 512],
    ['2 g', 2 * 1024 ** 3],
    ['1t', 1024 ** 4],
    ['0', 0],
  ],
  ['', 'x', '-1', '-1g', '1q', '1gg', '1 kb b', '1e3', '0x10', 'NaN', '9999999999p', '1..5k', 'm'],
);

table(
  'swap',
  parseSwap,
  [
    ['-1', -1],
    ['1g', 1024 ** 3],
  ],
  ['-2', ''],
);
table(
  'a number of CPUs',
  parseCpus,
  [
    ['1', 1],
    ['0.5', 0.5],
    ['.25', 0.25],
    ['2.', 2],
  ],
  ['', '-1', 'abc', '1e3', 'Infinity', '.'],
);
table(
  'a number of processes',
  parsePids,
  [
    ['100', 100],
    ['-1', -1],
    ['0', 0],
  ],
  ['', '-2', '1.5', 'x', '99999999999'],
);

const tcp = (hostPort: number, containerPort: number, hostAddress?: string) => ({
  ...(hostAddress === undefined ? {} : { hostAddress }),
  hostPort,
  containerPort,
  protocol: 'tcp' as const,
});

table(
  'a port',
  parsePort,
  [
    ['80', [tcp(0, 80)]],
    ['8080:80', [tcp(8080, 80)]],
    ['8080:80/tcp', [tcp(8080, 80)]],
    ['53:53/UDP', [{ hostPort: 53, containerPort: 53, protocol: 'udp' }]],
    ['127.0.0.1:8080:80', [tcp(8080, 80, '127.0.0.1')]],
    ['127.0.0.1::80', [tcp(0, 80, '127.0.0.1')]],
    ['[::1]:8080:80', [tcp(8080, 80, '::1')]],
    ['[::1]::80', [tcp(0, 80, '::1')]],
    ['::1:8080:80', [tcp(8080, 80, '::1')]],
    ['8000-8002:80-82', [tcp(8000, 80), tcp(8001, 81), tcp(8002, 82)]],
    ['80-81', [tcp(0, 80), tcp(0, 81)]],
    ['127.0.0.1:8000-8002:80', [{ ...tcp(8000, 80, '127.0.0.1'), hostLast: 8002 }]],
    ['0:80', [tcp(0, 80)]],
  ],
  [
    '',
    ':',
    '80:',
    'a:b',
    '99999:1',
    '80:99999',
    '80:0',
    '80:80/sctp',
    '80:80/',
    '80-81:80-82',
    '81-80:81-80',
    '1.2.3:80:80',
    '80:90:100:110',
    '[::1:80:80',
    '[nope]:80:80',
    '::zz:80:80',
    '80 80',
    '-1:80',
  ],
);

table(
  'a name server',
  parseDns,
  [
    ['9.9.9.9', '9.9.9.9'],
    ['2620:fe::fe', '2620:fe::fe'],
  ],
  ['', 'dns.example', '1.2.3', '1.2.3.4 5.6.7.8', '1.2.3.4\noptions x'],
);

table(
  'a search domain',
  parseDnsSearch,
  [
    ['.', '.'],
    ['lan', 'lan'],
    ['_tcp.a-b.example.', '_tcp.a-b.example.'],
  ],
  ['', '..', '-a', 'a-', 'a b', 'a\nnameserver 1.1.1.1', '1.2', 'x'.repeat(300)],
);

table(
  'an option of resolv.conf',
  parseDnsOption,
  [
    ['ndots:2', 'ndots:2'],
    ['single-request', 'single-request'],
  ],
  ['', 'ndots:2 rotate', 'a\nnameserver 1.1.1.1'],
);

table(
  'a device',
  parseDevice,
  [
    ['/dev/fuse', { source: '/dev/fuse', target: '/dev/fuse', permissions: 'rwm' }],
    ['/dev/fuse:r', { source: '/dev/fuse', target: '/dev/fuse', permissions: 'r' }],
    ['/dev/a:/dev/b', { source: '/dev/a', target: '/dev/b', permissions: 'rwm' }],
    ['/dev/a:/dev/b:rw', { source: '/dev/a', target: '/dev/b', permissions: 'rw' }],
    ['/dev//a/../b', { source: '/dev/b', target: '/dev/b', permissions: 'rwm' }],
  ],
  ['', 'fuse', '/dev/a:b', '/dev/a:/dev/b:x', '/dev/a:/dev/b:rr', '/dev/a:/dev/b:r:w', '/dev/a:', '/dev/a::r'],
);

table(
  'a variable',
  parseEnv,
  [
    ['A=1', 'A=1'],
    ['A', 'A'],
    ['A=', 'A='],
    ['a b=c', 'a b=c'],
    ['A==', 'A=='],
  ],
  ['', '=x', 'A=\0'],
);
table<readonly [string, string]>(
  'a label',
  parseLabel,
  [
    ['a=b=c', ['a', 'b=c']],
    ['a', ['a', '']],
    ['a=', ['a', '']],
  ],
  ['', '=x', ' =x'],
);

table(
  'a ulimit',
  parseUlimit,
  [
    ['nofile=1024', { name: 'nofile', soft: 1024, hard: 1024 }],
    ['nofile=1024:2048', { name: 'nofile', soft: 1024, hard: 2048 }],
    ['core=-1', { name: 'core', soft: -1, hard: -1 }],
    ['core=0:unlimited', { name: 'core', soft: 0, hard: -1 }],
  ],
  ['', 'nofile', 'nofile=', 'nope=1', 'nofile=5:4', 'nofile=-1:5', 'nofile=1:2:3', 'nofile=x', 'NOFILE=1', 'nofile=-2', '__proto__=1'],
);

table(
  'a security option',
  parseSecurity,
  [
    ['no-new-privileges', { kind: 'no-new-privileges', on: true }],
    ['no-new-privileges:true', { kind: 'no-new-privileges', on: true }],
    ['no-new-privileges=false', { kind: 'no-new-privileges', on: false }],
    ['seccomp=unconfined', { kind: 'seccomp', profile: 'unconfined' }],
    ['seccomp:unconfined', { kind: 'seccomp', profile: 'unconfined' }],
    ['seccomp=builtin', { kind: 'seccomp', profile: 'default' }],
    ['seccomp=/a/b.json', { kind: 'seccomp', profile: { file: '/a/b.json' } }],
    ['label=disable', { kind: 'nothing' }],
    ['apparmor=unconfined', { kind: 'nothing' }],
  ],
  ['', 'nope', 'nope=1', 'seccomp', 'seccomp=', 'no-new-privileges=maybe', 'apparmor=mine', 'label=type:x'],
);

table(
  'a capability',
  parseCapability,
  [
    ['NET_ADMIN', 'CAP_NET_ADMIN'],
    ['net_admin', 'CAP_NET_ADMIN'],
    ['CAP_net_admin', 'CAP_NET_ADMIN'],
    ['all', 'ALL'],
  ],
  ['', 'FLY', 'CAP_', 'CAP_ FLY', 'NET_ADMIN,SYS_ADMIN'],
);

table(
  'a user namespace mode',
  parseUserns,
  [
    ['host', { kind: 'host', chosen: true }],
    ['nomap', { kind: 'nomap' }],
    ['keep-id', { kind: 'keep-id' }],
    ['keep-id:uid=200', { kind: 'keep-id', uid: 200 }],
    ['keep-id:uid=200,gid=210', { kind: 'keep-id', uid: 200, gid: 210 }],
    ['auto', { kind: 'auto' }],
    ['auto:size=8192', { kind: 'auto', size: 8192 }],
  ],
  ['', 'nope', 'host:uid=1', 'keep-id:', 'keep-id:uid=x', 'keep-id:size=0', 'auto:size=-1', 'keep-id:uid=4294967295', 'constructor'],
);

table(
  'a line of /etc/hosts',
  parseHostEntry,
  [
    ['db:10.0.0.1', { name: 'db', address: '10.0.0.1' }],
    ['db=10.0.0.1', { name: 'db', address: '10.0.0.1' }],
    ['db:::1', { name: 'db', address: '::1' }],
    ['db:[::1]', { name: 'db', address: '::1' }],
    ['host.docker.internal:host-gateway', { name: 'host.docker.internal', address: 'host-gateway' }],
  ],
  ['', 'db', ':1.2.3.4', 'db:', 'db:1.2.3', 'a b:1.2.3.4', 'db:name'],
);

table(
  'a host name',
  parseHostname,
  [
    ['web', 'web'],
    ['a.b-c_1', 'a.b-c_1'],
    ['W', 'W'],
  ],
  ['', '-a', 'a-', 'a b', 'a/b', 'x'.repeat(65)],
);
table(
  'a network',
  parseNetwork,
  [
    ['none', { kind: 'mode', network: 'none' }],
    ['host', { kind: 'mode', network: 'host' }],
    ['private', { kind: 'mode', network: 'private' }],
    ['bridge', { kind: 'mode', network: 'private' }],
    ['pasta:--mtu,1500', { kind: 'mode', network: 'private', uplink: { program: 'pasta', options: ['--mtu', '1500'] } }],
    ['slirp4netns', { kind: 'mode', network: 'private', uplink: { program: 'slirp4netns', options: [] } }],
    ['container:web', { kind: 'mode', network: 'container', of: 'web' }],
    ['ns:/run/netns/x', { kind: 'mode', network: 'namespace', of: '/run/netns/x' }],
    ['front', { kind: 'networks', networks: [{ network: 'front', aliases: [] }] }],
    [
      'a,b',
      {
        kind: 'networks',
        networks: [
          { network: 'a', aliases: [] },
          { network: 'b', aliases: [] },
        ],
      },
    ],
    [
      'front:ip=10.89.0.9,alias=db,alias=sql,mac=02-42-0A-59-00-09,interface_name=lan0',
      {
        kind: 'networks',
        networks: [{ network: 'front', aliases: ['db', 'sql'], ip: '10.89.0.9', mac: '02:42:0a:59:00:09', interface: 'lan0' }],
      },
    ],
    ['front:ip6=fd00::9', { kind: 'networks', networks: [{ network: 'front', aliases: [], ip6: 'fd00::9' }] }],
    ['name=front,alias=db', { kind: 'networks', networks: [{ network: 'front', aliases: ['db'] }] }],
  ],
  [
    '',
    '-front',
    'a b',
    'front:',
    'front:ip=1.2.3',
    'front:ip6=1.2.3.4',
    'front:mac=1',
    'front:mac=03:00:00:00:00:01',
    'front:alias=a b',
    'front:nosuch=1',
    'front:ip',
    'front:interface_name=lo',
    'front:interface_name=a/b',
    'alias=db,name=',
    'container:',
    'container',
    'ns:relative',
    'ns',
    'a,,b',
    '../x',
  ],
);
table(
  'a signal',
  parseSignal,
  [
    ['TERM', 'SIGTERM'],
    ['sigkill', 'SIGKILL'],
    ['15', 'SIGTERM'],
    ['RTMIN+3', 'SIGRTMIN+3'],
    ['SIGRTMAX-14', 'SIGRTMAX-14'],
  ],
  ['', 'SIGNOPE', '0', '999', 'RTMIN+16', 'SIG', '9x', 'constructor'],
);
table(
  'a user',
  parseUser,
  [
    ['1000', '1000'],
    ['ana:users', 'ana:users'],
    ['0:0', '0:0'],
  ],
  ['', ':', 'a:', ':b', 'a:b:c', 'a b', '../x'],
);
table<readonly [string, string]>(
  'a sysctl',
  parseSysctl,
  [
    ['net.ipv4.ip_forward=1', ['net.ipv4.ip_forward', '1']],
    ['net/core/somaxconn=9', ['net.core.somaxconn', '9']],
    ['kernel.shmmax=1', ['kernel.shmmax', '1']],
    ['fs.mqueue.msg_max=10', ['fs.mqueue.msg_max', '10']],
  ],
  ['', 'foo', 'foo=1', 'kernel.panic=1', 'vm.swappiness=1', 'net.=1', 'net.ipv4.ip_forward', 'kernel.hostname=x'],
);
table(
  'a working directory',
  parseWorkdir,
  [
    ['/a/../b/', '/b'],
    ['/', '/'],
  ],
  ['', 'relative', './x'],
);
table(
  'a pull policy',
  parsePull,
  [
    ['always', 'always'],
    ['never', 'never'],
    ['missing', 'missing'],
  ],
  ['', 'sometimes', 'ALWAYS'],
);

const bytes = (text: string) => new TextEncoder().encode(text);

test('an env file keeps values as they are, and comments only at the start of a line', () => {
  const text = '# note\n\nA=1\n  B=two words \n\tC="quoted" # no comment\nD=\nE\nF==x\r\n';
  assert.equal(parseKeyLines(bytes(text)), ['A=1', 'B=two words ', 'C="quoted" # no comment', 'D=', 'E', 'F==x']);
});

test('an env file may begin with a byte order mark', () => assert.equal(parseKeyLines(bytes('\ufeffA=1')), ['A=1']));

for (const [text, message] of [
  ['A B=1', /'A B' contains whitespaces/],
  ['=1', /no variable name on line '=1'/],
  ['A =1', /whitespaces/],
] as const) {
  test(`an env file with the line "${text}" is refused`, () => assert.throws(() => parseKeyLines(bytes(text)), message));
}

test('an env file that is not text is refused', () => {
  assert.throws(() => parseKeyLines(Uint8Array.of(0x41, 0x3d, 0xff, 0xfe)), /not UTF-8/);
});

test("a name alone becomes the host's value, or is left out", () => {
  assert.equal(lookUp(['A', 'B=2', 'NONE', 'EMPTY'], { A: 'one', EMPTY: '' }), ['A=one', 'B=2', 'EMPTY=']);
});

test.run();
