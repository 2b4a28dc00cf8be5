/** Private networks: ports, the argument lists of the programs that serve them, names. */

import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RootlessError } from '../../src/errors.ts';
import { containerResolvConf, hostsFile, requestedResolvConf } from '../../src/network/dns.ts';
import { listenerOf, parseSockets } from '../../src/network/listener.ts';
import { type PastaWish, pastaArgs } from '../../src/network/pasta.ts';
import { optionsIn } from '../../src/network/pasta-knows.ts';
import { type PortRequest, refuseConflicts, reservePorts } from '../../src/network/ports.ts';
import { planSlirp } from '../../src/network/slirp4netns.ts';
import { writeFiles } from '../../src/runtime/files.ts';
import { defaults } from '../../src/runtime/options.ts';
import { withTmp } from '../support/tmp.ts';
import { hasCode } from '../support/errors.ts';

const tcp = (hostPort: number, containerPort: number, hostAddress?: string): PortRequest => ({
  hostPort,
  containerPort,
  protocol: 'tcp',
  hostAddress,
});
const udp = (hostPort: number, containerPort: number): PortRequest => ({ hostPort, containerPort, protocol: 'udp' });
const plain: PastaWish = { ports: [], knows: new Set(), asRoot: false };
const conflicts: readonly (readonly [string, readonly PortRequest[], boolean])[] = [
  ['one port twice', [tcp(80, 1), tcp(80, 2)], true],
  ['one port on all addresses and on one', [tcp(80, 1), tcp(80, 2, '127.0.0.1')], true],
  ['one port on two addresses', [tcp(80, 1, '127.0.0.1'), tcp(80, 2, '127.0.0.2')], false],
  ['one number for tcp and udp', [tcp(80, 1), udp(80, 1)], false],
  ['two ports for one of the container', [tcp(80, 1), tcp(81, 1)], false],
  ['any free port, twice', [tcp(0, 1), tcp(0, 2)], false],
];

for (const [name, ports, refused] of conflicts) {
  test(`${name} ${refused ? 'is refused' : 'is allowed'}`, () => {
    if (refused) assert.throws(() => refuseConflicts(ports), hasCode('PORT_TWICE'));
    else assert.not.throws(() => refuseConflicts(ports));
  });
}

async function rejection(work: Promise<unknown>): Promise<RootlessError> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, RootlessError);
    return error as RootlessError;
  }
  return assert.unreachable() as never;
}

test('a port below the first free one is refused with the sysctl that says so', async () => {
  const error = await rejection(reservePorts([tcp(80, 8080)], 1024));
  assert.is(error.code, 'PORT_PRIVILEGED');
  assert.match(error.fix ?? '', /ip_unprivileged_port_start=80$/);
});

test('a port that another program listens on is refused', async () => {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    const refused = await rejection(reservePorts([tcp(port, 80, '127.0.0.1')], 0));
    assert.is(refused.code, 'PORT_IN_USE');
    assert.match(refused.why ?? '', `(process ${process.pid})`);
  } finally {
    server.close();
  }
});

test('a port of another container is refused by its name', async () => {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    const refused = await rejection(reservePorts([tcp(port, 80, '127.0.0.1')], 0, async (asked) => (asked === port ? 'web' : undefined)));
    assert.is(refused.why, 'by container "web"');
    assert.match(refused.fix ?? '', /rootless stop web/);
  } finally {
    server.close();
  }
});

test("of a range of the host's the first free port is taken, by each request another", async () => {
  const server = createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  // The kernel chooses high ports; far above there may be none.
  const first = port > 60_000 ? port - 1 : port;
  const any = (inside: number, hostLast: number) => ({ ...tcp(first, inside, '127.0.0.1'), hostLast });
  try {
    const found = await reservePorts([any(80, first + 50), any(81, first + 50)], 0);
    const numbers = found.map(({ hostPort }) => hostPort);
    assert.is(new Set([...numbers, port]).size, 3);
    assert.ok(numbers.every((number) => number >= first && number <= first + 50));
    assert.ok(found.every((one) => !('hostLast' in one)));
    const refused = await rejection(reservePorts([{ ...tcp(port, 80, '127.0.0.1'), hostLast: port + 1 }, tcp(port + 1, 81)], 0));
    assert.is(refused.code, 'PORT_IN_USE');
    assert.match(refused.message, `no port of ${port}-${port + 1}/tcp is free`);
  } finally {
    server.close();
  }
});

test('an address of another machine is refused', async () => {
  assert.is((await rejection(reservePorts([tcp(0, 80, '192.0.2.77')], 1024))).code, 'ADDRESS_UNAVAILABLE');
});

test('any free port gets a number, for tcp and for udp', async () => {
  const [one, other] = await reservePorts([tcp(0, 80, '127.0.0.1'), { ...udp(0, 53), hostAddress: '127.0.0.1' }], 1024);
  assert.ok((one?.hostPort ?? 0) > 0);
  assert.ok((other?.hostPort ?? 0) > 0);
  assert.is(one?.containerPort, 80);
});

test('pasta forwards what was published and nothing else', () => {
  const args = pastaArgs('/usr/bin/pasta', { ...plain, ports: [tcp(8080, 80), tcp(8443, 443, '127.0.0.1'), udp(5353, 53)] });
  const after = (flag: string) => args.flatMap((arg, index) => (arg === flag ? [args[index + 1]] : []));
  assert.equal(after('-t'), ['8080:80', '127.0.0.1/8443:443']);
  assert.equal(after('-u'), ['5353:53']);
  assert.equal(after('-T'), ['none']);
  assert.equal(after('-U'), ['none']);
  assert.ok(args.includes('--no-map-gw'));
  assert.is(args.at(-1), '{pid}');
});

test('without published ports pasta forwards none', () => {
  const args = pastaArgs('/usr/bin/pasta', plain);
  for (const flag of ['-t', '-u', '-T', '-U']) assert.is(args[args.indexOf(flag) + 1], 'none', flag);
});

test('only a pasta that knows how is asked to stand for the host', () => {
  assert.not.ok(pastaArgs('p', { ...plain, knows: new Set(optionsIn('--no-map-gw')) }).includes('--map-guest-addr'));
  assert.ok(pastaArgs('p', { ...plain, knows: new Set(optionsIn('  --map-guest-addr ADDR')) }).includes('--map-guest-addr'));
});

test('pasta keeps its user where root started it: nobody could not enter the container', () => {
  const args = pastaArgs('p', { ...plain, asRoot: true });
  assert.is(args[args.indexOf('--runas') + 1], '0');
  assert.not.ok(pastaArgs('p', plain).includes('--runas'));
});

test("slirp4netns cannot reach the host's loopback, and says when it is ready", () => {
  const args = planSlirp('/usr/bin/slirp4netns').args;
  assert.ok(args.includes('--disable-host-loopback'));
  assert.ok(args.includes('--ready-fd=3'));
  assert.equal(args.slice(-2), ['{pid}', 'tap0']);
});

test('slirp4netns is asked for ports, one by one, when it serves; IPv6 is refused', () => {
  const ports: readonly PortRequest[] = [
    { hostPort: 8080, containerPort: 80, protocol: 'tcp' },
    { hostAddress: '127.0.0.1', hostPort: 53, containerPort: 5353, protocol: 'udp' },
  ];
  const { args } = planSlirp('s', { ports, options: ['cidr=10.7.0.0/24'] });
  assert.ok(args.includes('--api-socket=/proc/self/fd/4/api'));
  const asked = args.slice(args.indexOf('{forwards}') + 1).map((word) => JSON.parse(word));
  assert.equal(asked, [
    { proto: 'tcp', host_addr: '0.0.0.0', host_port: 8080, guest_addr: '10.7.0.100', guest_port: 80 },
    { proto: 'udp', host_addr: '127.0.0.1', host_port: 53, guest_addr: '10.7.0.100', guest_port: 5353 },
  ]);
  const six: PortRequest = { hostAddress: '::1', hostPort: 8080, containerPort: 80, protocol: 'tcp' };
  assert.throws(() => planSlirp('s', { ports: [six] }), hasCode('PORT_UNAVAILABLE'));
  assert.not.ok(planSlirp('s').args.some((word) => /api-socket|forwards/.test(word)));
});

test('who listens on a port is found in the tables of the kernel', () => {
  const tcp = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0',
    '   1: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 20 4 30 10 -1',
  ].join('\n');
  assert.equal(parseSockets(tcp, 8080, 'tcp'), [{ uid: 1000, inode: '4711' }]);
  assert.equal(parseSockets(tcp, 8081, 'tcp'), []);
  return withTmp((proc) => {
    mkdirSync(join(proc, 'net'));
    writeFileSync(join(proc, 'net/tcp'), tcp);
    assert.is(listenerOf(8080, 'tcp', proc), 'a process of user 1000');
    mkdirSync(join(proc, '812/fd'), { recursive: true });
    writeFileSync(join(proc, '812/comm'), 'nginx\n');
    symlinkSync('socket:[4711]', join(proc, '812/fd/5'));
    assert.is(listenerOf(8080, 'tcp', proc), '"nginx" (process 812)');
    assert.is(listenerOf(8081, 'tcp', proc), undefined);
  });
});

const dns = { forwarder: '169.254.1.1', host: '169.254.1.2' };
const resolvers: readonly (readonly [string, string, string])[] = [
  [
    'a loopback resolver gives way to the forwarder',
    'nameserver 127.0.0.53\noptions edns0\nsearch lan\n',
    'nameserver 169.254.1.1\noptions edns0\nsearch lan\n',
  ],
  ['other resolvers follow the forwarder', 'nameserver 9.9.9.9\nnameserver ::1\n', 'nameserver 169.254.1.1\nnameserver 9.9.9.9\n'],
  ['an address with a zone means nothing in a container', 'nameserver fe80::1%eth0\n', 'nameserver 169.254.1.1\n'],
  [
    'at most three are used',
    'nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\n',
    'nameserver 169.254.1.1\nnameserver 1.1.1.1\nnameserver 1.1.1.2\n',
  ],
  ['comments go', '# made by x\n; and y\n nameserver 8.8.8.8\n', 'nameserver 169.254.1.1\nnameserver 8.8.8.8\n'],
  ['an empty file still gives the forwarder', '', 'nameserver 169.254.1.1\n'],
];

for (const [name, host, wanted] of resolvers) {
  test(`resolv.conf: ${name}`, () => assert.is(containerResolvConf(host, dns), wanted));
}

const none = { servers: [], search: [], options: [] };
const given = 'nameserver 169.254.1.1\nsearch lan\noptions edns0\nsortlist 10.0.0.0\n';
for (const [name, asked, wanted] of [
  [
    'servers take the place of all others',
    { ...none, servers: ['9.9.9.9', '::1'] },
    'nameserver 9.9.9.9\nnameserver ::1\nsearch lan\noptions edns0\n',
  ],
  [
    "a search list takes the place of the host's",
    { ...none, search: ['a.b', 'c'] },
    'nameserver 169.254.1.1\nsearch a.b c\noptions edns0\n',
  ],
  ['a search list of a dot is none', { ...none, search: ['.'] }, 'nameserver 169.254.1.1\noptions edns0\n'],
  [
    "options take the place of the host's",
    { ...none, options: ['ndots:2', 'rotate'] },
    'nameserver 169.254.1.1\nsearch lan\noptions ndots:2 rotate\n',
  ],
] as const) {
  test(`resolv.conf as asked: ${name}`, () => assert.is(requestedResolvConf(given, asked), `${wanted}sortlist 10.0.0.0\n`));
}

test('resolv.conf as asked begins empty without a network', () =>
  assert.is(requestedResolvConf('', { ...none, servers: ['1.1.1.1'] }), 'nameserver 1.1.1.1\n'));

test('the files of a container are what its flags say', () =>
  withTmp((folder) => {
    const asked = { ...none, servers: ['9.9.9.9'], search: ['.'], options: ['rotate'] };
    const options = { ...defaults, image: 'i', network: 'none', dns: asked } as const;
    const targets = (more: object) => writeFiles(folder, 'h', { ...options, ...more }, undefined).map(({ target }) => target);
    assert.equal(targets({ domainname: 'lan' }), ['/etc/hostname', '/etc/hosts', '/etc/resolv.conf']);
    assert.is(readFileSync(join(folder, 'resolv.conf'), 'utf8'), 'nameserver 9.9.9.9\noptions rotate\n');
    assert.match(readFileSync(join(folder, 'hosts'), 'utf8'), /^127\.0\.1\.1\th\.lan h$/m);
    assert.equal(targets({ noHosts: true }), ['/etc/hostname', '/etc/resolv.conf']);
    assert.equal(targets({ dns: { ...none, servers: ['none'] } }), ['/etc/hostname', '/etc/hosts']);
  }));

test('the hosts file has the own name, the host, and what was added', () => {
  const text = hostsFile(
    'web.example',
    [
      { name: 'db', address: '10.0.0.7' },
      { name: 'me', address: 'host-gateway' },
    ],
    dns,
  );
  assert.match(text, /^127\.0\.0\.1\tlocalhost$/m);
  assert.match(text, /^127\.0\.1\.1\tweb\.example web$/m);
  assert.match(text, /^169\.254\.1\.2\thost\.docker\.internal /m);
  assert.match(text, /^10\.0\.0\.7\tdb$/m);
  assert.match(text, /^169\.254\.1\.2\tme$/m);
});

test('host-gateway is refused where the network has no way to the host', () => {
  const entry = [{ name: 'me', address: 'host-gateway' }];
  assert.throws(() => hostsFile('h', entry, { forwarder: '10.0.2.3', host: undefined }), hasCode('HOST_UNREACHABLE'));
  assert.match(hostsFile('h', entry, undefined), /^127\.0\.0\.1\tme$/m);
});

test.run();
