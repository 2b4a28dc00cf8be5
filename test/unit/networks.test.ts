/** User-defined networks: addresses, subnets, routes, leases, and what a container on them is told. */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseOption, parseReserved } from '../../src/cli/network-options.ts';
import { toNetwork } from '../../src/cli/run-network.ts';
import { BadValue } from '../../src/cli/values/bad.ts';
import { parseInterface, parseMac, parseNetwork } from '../../src/cli/values/network.ts';
import { RootlessError } from '../../src/errors.ts';
import { containerResolvConf, hostsFile } from '../../src/network/dns.ts';
import { formatBlock, formatIp, parseBlock, parseIp } from '../../src/network/ip.ts';
import { pastaArgs } from '../../src/network/pasta.ts';
import { buildFor, pastaKnows } from '../../src/network/pasta-knows.ts';
import { parseRoutes, parseRoutes6 } from '../../src/network/routes.ts';
import { planSlirp } from '../../src/network/slirp4netns.ts';
import { checkAddress, checkSubnet, familyOf, nextAddress, pickSubnet, pickSubnet6 } from '../../src/network/subnets.ts';
import { findPaths, type Paths } from '../../src/paths.ts';
import { namesOf } from '../../src/runtime/network-annotation.ts';
import { claimLease, leasesOf, releaseLease } from '../../src/runtime/network-leases.ts';
import { makeNetwork, type NewNetwork } from '../../src/runtime/network-make.ts';
import { pruneNetworks, removeNetwork } from '../../src/runtime/network-remove.ts';
import { interfacesOf } from '../../src/runtime/network-settle.ts';
import { changeNetworks, findNetwork, listNetworks, networkFolder } from '../../src/runtime/network-store.ts';
import type { ContainerOptions } from '../../src/runtime/options.ts';
import { containerFolder } from '../../src/runtime/state.ts';
import { withTmp } from '../support/tmp.ts';
import { hasCode } from '../support/errors.ts';

const isBad = (error: unknown) => error instanceof BadValue;
const present = <T>(value: T | undefined): T => value ?? (assert.unreachable('nothing there') as never);
const block = (text: string) => present(parseBlock(text));

for (const [text, shown] of [
  ['10.89.0.1', '10.89.0.1'],
  ['255.255.255.255', '255.255.255.255'],
  ['::', '::'],
  ['::1', '::1'],
  ['fd00:0:0:1::5', 'fd00:0:0:1::5'],
  ['FD00:0:0:0:0:0:0:5', 'fd00::5'],
  ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
  ['::ffff:10.0.0.1', '::ffff:a00:1'],
  ['fe80::1:0:0:1', 'fe80::1:0:0:1'],
] as const) {
  test(`the address ${text} is ${shown}`, () => assert.is(formatIp(present(parseIp(text))), shown));
}

for (const text of ['', '10.89.0', '10.89.0.256', 'fe80::1%eth0', ':::', 'x']) {
  test(`"${text}" is no address`, () => assert.is(parseIp(text), undefined));
}

for (const text of ['10.89.0.1/24', '10.89.0.0/33', '10.89.0.0', 'fd00::1/64', '10.89.0.0/', '/24', '10.89.0.0/2a']) {
  test(`"${text}" is no block`, () => assert.is(parseBlock(text), undefined));
}

test('a free subnet is the first that neither a network nor a route has', () => {
  assert.equal(pickSubnet([]), { subnet: '10.89.0.0/24', gateway: '10.89.0.1' });
  assert.is(pickSubnet([block('10.89.0.0/24'), block('10.89.1.128/25')]).subnet, '10.89.2.0/24');
  assert.is(pickSubnet([block('10.0.0.0/9')]).subnet, '10.128.0.0/24');
  assert.throws(() => pickSubnet([block('10.0.0.0/8')]), hasCode('SUBNETS_EXHAUSTED'));
});

test('a subnet of IPv6 is unique and local', () => {
  assert.match(pickSubnet6('80ed47ab6f43ca83'.padEnd(64, '0')).subnet, /^fd80:ed47:ab6f:43ca::\/64$/);
});

test('a subnet that overlaps a network or a route is refused, one beside them is not', () => {
  assert.throws(() => checkSubnet({ subnet: '10.90.1.0/25' }, [block('10.90.1.0/24')], []), hasCode('SUBNET_TAKEN'));
  assert.throws(() => checkSubnet({ subnet: '192.0.0.0/8' }, [], [block('192.0.2.0/24')]), hasCode('SUBNET_TAKEN'));
  assert.is(checkSubnet({ subnet: '10.90.2.0/24' }, [block('10.90.1.0/24')], []).gateway, '10.90.2.1');
  assert.is(checkSubnet({ subnet: '10.0.0.0/16' }, [], []).gateway, '10.0.0.1');
});

for (const bad of [
  { subnet: '10.90.1.3/24' },
  { subnet: '10.90.1.0/31' },
  { subnet: '0.0.0.0/0' },
  { subnet: 'nonsense' },
  { subnet: '10.90.1.0/24', gateway: '10.90.2.1' },
  { subnet: '10.90.1.0/24', gateway: '10.90.1.255' },
  { subnet: '10.90.1.0/24', gateway: 'x' },
  { subnet: '10.90.1.0/24', ipRange: '10.90.2.0/25' },
  { subnet: '10.90.1.0/24', ipRange: '10.90.0.0/16' },
  { subnet: '10.90.1.0/24', ipRange: '10.90.1.1/25' },
  { subnet: '10.90.1.0/24', reserved: { router: '10.90.2.9' } },
  { subnet: '10.90.1.0/24', reserved: { router: '10.90.1.255' } },
  { subnet: '0.0.0.0/8' },
  { subnet: '127.1.0.0/16' },
  { subnet: '169.254.1.0/24' },
  { subnet: '224.0.0.0/24' },
  { subnet: '255.0.0.0/8' },
  { subnet: '10.0.2.0/23' },
  { subnet: '::/64' },
  { subnet: 'fe80::/64' },
  { subnet: 'ff02::/64' },
]) {
  test(`the subnet ${JSON.stringify(bad)} is refused`, () => assert.throws(() => checkSubnet(bad, [], []), hasCode('SUBNET_INVALID')));
}

test('the next address is the lowest that is free: not the first, the last, or the gateway', () => {
  const subnet = { subnet: '10.90.1.0/30', gateway: '10.90.1.1' };
  assert.is(nextAddress(subnet, new Set()), '10.90.1.2');
  assert.is(nextAddress(subnet, new Set(['10.90.1.2'])), undefined);
  assert.is(nextAddress({ ...subnet, subnet: '10.90.1.0/24', ipRange: '10.90.1.128/26' }, new Set()), '10.90.1.128');
  assert.is(nextAddress({ subnet: 'fd00::/64', gateway: 'fd00::1' }, new Set(['fd00::2'])), 'fd00::3');
  const reserved = { a: '10.90.1.2', b: '10.90.1.4' };
  assert.is(nextAddress({ ...subnet, subnet: '10.90.1.0/24', reserved }, new Set(['10.90.1.3'])), '10.90.1.5');
});

for (const text of ['10.90.1.0', '10.90.1.1', '10.90.1.255', '10.90.2.2', 'fd00::2', 'x']) {
  test(`a container cannot have the address ${text} of 10.90.1.0/24`, () => {
    assert.throws(() => checkAddress(text, { subnet: '10.90.1.0/24', gateway: '10.90.1.1' }, 'n'), hasCode('ADDRESS_OUTSIDE'));
  });
}

test("routes of the kernel's tables are blocks, the default one is none", () => {
  const four = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\n';
  const rows = 'eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\neth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n';
  assert.equal(parseRoutes(`${four}${rows}`).map(formatBlock), ['192.0.2.0/24']);
  const six = [
    'fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 1 0 00000001 eth0',
    'fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 1 0 00000001 eth0',
    '00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 2 0 80200001 lo',
    '00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 1 0 00000003 eth0',
  ].join('\n');
  assert.equal(parseRoutes6(six).map(formatBlock), ['fd00::/64']);
});

const wish: NewNetwork = {
  name: 'front',
  subnets: [{ subnet: '10.213.7.0/29' }],
  internal: false,
  ipv4: true,
  ipv6: false,
  dns: true,
  mtu: 65520,
  labels: {},
  options: {},
  ignore: false,
};

function withStore(work: (paths: Paths) => Promise<void>): Promise<void> {
  return withTmp((folder) => {
    mkdirSync(join(folder, 'run'), { mode: 0o700 });
    return work(findPaths({ HOME: folder, ROOTLESS_DATA: join(folder, 'data'), XDG_RUNTIME_DIR: join(folder, 'run') }));
  });
}

const container = (paths: Paths, digit: string) => {
  const id = digit.repeat(64);
  mkdirSync(containerFolder(paths, id), { recursive: true });
  return id;
};

test('a network is found by its name, its id and the beginning of its id', () =>
  withStore(async (paths) => {
    const { id } = await makeNetwork(paths, wish);
    for (const text of ['front', id, id.slice(0, 6)]) assert.is(findNetwork(paths, text).name, 'front');
    assert.throws(() => findNetwork(paths, 'fron'), hasCode('NETWORK_NOT_FOUND'));
    assert.throws(() => findNetwork(paths, ''), hasCode('NETWORK_NOT_FOUND'));
  }));

test('a second network of one name is refused, or the first one with --ignore', () =>
  withStore(async (paths) => {
    const { id } = await makeNetwork(paths, wish);
    assert.is((await rejection(makeNetwork(paths, wish))).code, 'NETWORK_EXISTS');
    assert.is((await makeNetwork(paths, { ...wish, ignore: true })).id, id);
    assert.is(listNetworks(paths).length, 1);
  }));

for (const [name, code] of [
  ['host', 'NETWORK_PREDEFINED'],
  ['bridge', 'NETWORK_PREDEFINED'],
  ['a/b', 'NETWORK_NAME_INVALID'],
  ['', 'NETWORK_NAME_INVALID'],
  ['-x', 'NETWORK_NAME_INVALID'],
  ['x'.repeat(129), 'NETWORK_NAME_INVALID'],
] as const) {
  test(`no network is called "${name.slice(0, 20)}"`, () =>
    withStore(async (paths) => {
      assert.is((await rejection(makeNetwork(paths, { ...wish, name }))).code, code);
      assert.equal(listNetworks(paths), []);
    }));
}

test('a container keeps its address, others get the next ones, and a full network says so', () =>
  withStore(async (paths) => {
    const network = await makeNetwork(paths, wish);
    const claim = (digit: string, more = {}) =>
      changeNetworks(paths, () => claimLease(paths, network, container(paths, digit), { network: 'front', aliases: [], ...more }));
    assert.equal(await claim('a'), { addresses: ['10.213.7.2'], mac: '02:42:0a:d5:07:02' });
    assert.equal((await claim('a')).addresses, ['10.213.7.2']);
    assert.equal((await claim('b', { ip: '10.213.7.6' })).addresses, ['10.213.7.6']);
    assert.is((await rejection(claim('c', { ip: '10.213.7.6' }))).code, 'ADDRESS_TAKEN');
    assert.is((await rejection(claim('c', { mac: '02:42:0a:d5:07:02' }))).code, 'ADDRESS_TAKEN');
    assert.is((await rejection(claim('c', { ip6: 'fd00::2' }))).code, 'ADDRESS_OUTSIDE');
    assert.equal((await claim('c')).addresses, ['10.213.7.3']);
    assert.equal((await claim('d')).addresses, ['10.213.7.4']);
    assert.equal((await claim('e')).addresses, ['10.213.7.5']);
    assert.is((await rejection(claim('f'))).code, 'NETWORK_FULL');
    releaseLease(paths, network, 'a'.repeat(64));
    assert.equal((await claim('f')).addresses, ['10.213.7.2']);
  }));

test('what a container has left that is no more is no lease, and a damaged one is none', () =>
  withStore(async (paths) => {
    const network = await makeNetwork(paths, wish);
    const leases = join(networkFolder(paths, network.id), 'leases');
    writeFileSync(join(leases, 'a'.repeat(64)), JSON.stringify({ addresses: ['10.213.7.2'], mac: '02:42:0a:d5:07:02' }));
    container(paths, 'b');
    writeFileSync(join(leases, 'b'.repeat(64)), '{"addresses":');
    writeFileSync(join(leases, 'nonsense'), '');
    assert.is(leasesOf(paths, network).size, 0);
    assert.equal(readdirSync(leases), ['nonsense']);
    assert.equal(await pruneNetworks(paths, () => true), ['front']);
    assert.not.ok(existsSync(networkFolder(paths, network.id)));
  }));

test('a network that a container is on stays', () =>
  withStore(async (paths) => {
    const network = await makeNetwork(paths, wish);
    await changeNetworks(paths, () => claimLease(paths, network, container(paths, 'a'), { network: 'front', aliases: [] }));
    assert.is((await rejection(removeNetwork(paths, 'front', { force: false, searchPath: [] }))).code, 'NETWORK_IN_USE');
    assert.equal(await pruneNetworks(paths, () => true), []);
    assert.is((await rejection(removeNetwork(paths, 'private', { force: true, searchPath: [] }))).code, 'NETWORK_PREDEFINED');
    assert.is((await rejection(removeNetwork(paths, '../../x', { force: true, searchPath: [] }))).code, 'NETWORK_NOT_FOUND');
  }));

test('networks that are made at the same time have different subnets', () =>
  withStore(async (paths) => {
    const names = ['a', 'b', 'c', 'd', 'e'].map((letter) => `net${letter}`);
    const made = await Promise.all(names.map((name) => makeNetwork(paths, { ...wish, name, subnets: [] })));
    assert.is(new Set(made.map(({ subnets }) => subnets[0]?.subnet)).size, 5);
  }));

test('a damaged description is no network, and does not hide others', () =>
  withStore(async (paths) => {
    const { id } = await makeNetwork(paths, wish);
    writeFileSync(join(networkFolder(paths, id), 'network.json'), '{');
    assert.equal(listNetworks(paths), []);
    await makeNetwork(paths, { ...wish, name: 'back' });
    assert.is(listNetworks(paths).length, 1);
  }));

test("an address that the network keeps is no container's, asked for or not", () =>
  withStore(async (paths) => {
    const subnets = [{ subnet: '10.213.7.0/29', reserved: { router: '10.213.7.2' } }];
    const network = await makeNetwork(paths, { ...wish, subnets });
    const asked = { network: 'front', aliases: [] };
    const id = container(paths, 'a');
    assert.throws(() => claimLease(paths, network, id, { ...asked, ip: '10.213.7.2' }), hasCode('ADDRESS_TAKEN'));
    assert.equal(claimLease(paths, network, id, asked).addresses, ['10.213.7.3']);
  }));

test('a network has IPv4, IPv6 or both', () =>
  withStore(async (paths) => {
    const of = async (name: string, ipv4: boolean, ipv6: boolean) =>
      (await makeNetwork(paths, { ...wish, name, subnets: [], ipv4, ipv6 })).subnets.map(familyOf);
    assert.equal(await of('n4', true, false), [4]);
    assert.equal(await of('n46', true, true), [4, 6]);
    assert.equal(await of('n6', false, true), [6]);
    assert.is((await rejection(of('n0', false, false))).code, 'NETWORK_OPTION_INVALID');
    assert.is((await rejection(makeNetwork(paths, { ...wish, ipv4: false }))).code, 'NETWORK_OPTION_INVALID');
    assert.is((await rejection(makeNetwork(paths, { ...wish, ipv6: true, mtu: 1279 }))).code, 'NETWORK_OPTION_INVALID');
    const six = findNetwork(paths, 'n6');
    const macs = ['a', 'b'].map((digit) => claimLease(paths, six, container(paths, digit), { network: 'n6', aliases: [] }).mac);
    assert.equal(macs, ['02:42:00:00:00:02', '02:42:00:00:00:03']);
  }));

for (const text of [
  'com.docker.network.bridge.enable_icc=false',
  'com.docker.network.bridge.enable_ip_masquerade=false',
  'com.docker.network.bridge.host_binding_ipv4=127.0.0.1',
  'com.docker.network.bridge.gateway_mode_ipv4=routed',
  'com.docker.network.nosuch=1',
  'isolate=false',
  'vlan=5',
  'mtu=67',
  'mtu',
]) {
  test(`the option ${text} of a network is refused`, () => assert.throws(() => parseOption(text), isBad));
}

for (const text of ['isolate=true', 'com.docker.network.bridge.enable_icc=true', 'com.docker.network.bridge.name=br0', 'mtu=1500']) {
  test(`the option ${text} of a network is taken`, () => assert.equal(parseOption(text), text.split('=')));
}

for (const text of ['x', 'x=', '=10.0.0.1', 'x=10.0.0']) {
  test(`the auxiliary address "${text}" is refused`, () => assert.throws(() => parseReserved(text), isBad));
}

test('a hardware address and an interface are what the kernel takes', () => {
  for (const text of ['00:00:00:00:00:00', '01:00:00:00:00:01', 'x']) assert.throws(() => parseMac(text), isBad);
  for (const text of ['eth%d', 'lo', 'uplink0', 'a/b', 'sixteen-letters0']) assert.throws(() => parseInterface(text), isBad);
});

test('a container is found by those of its names that DNS can have', () => {
  const names = (name: string, hostname: string) => namesOf({ id: 'a'.repeat(64), name, options: { hostname } as ContainerOptions });
  assert.equal(names('web_1', 'www.example'), ['web_1', 'a'.repeat(12), 'www.example']);
  for (const name of ['x'.repeat(64), 'a.', 'a..b', 'a-', `${'a.'.repeat(127)}a`]) assert.equal(names(name, name), ['a'.repeat(12)]);
});

test('interfaces are numbered around those with a name', () => {
  const on = (name?: string) => ({ network: 'n', aliases: [], interface: name });
  assert.equal(interfacesOf([on(), on('lan0'), on()]), ['eth0', 'lan0', 'eth1']);
  assert.equal(interfacesOf([on('eth1'), on(), on()]), ['eth1', 'eth0', 'eth2']);
});

const flags = { aliases: [], ip: undefined, ip6: undefined, mac: undefined, ports: [], publishAll: false, names: [] };
const words = (...texts: string[]) => texts.map(parseNetwork);
const port = { hostPort: 1, containerPort: 1, protocol: 'tcp' } as const;

for (const [name, input] of [
  ['a mode beside a network', { ...flags, words: words('front', 'host') }],
  ['two modes', { ...flags, words: words('none', 'host') }],
  ['an address for two networks', { ...flags, words: words('a,b'), ip: '10.89.0.9' }],
  ['an address of a private network', { ...flags, words: [], ip: '10.89.0.9' }],
  ['an alias on a private network', { ...flags, words: [], aliases: ['db'] }],
  ["an alias on the host's network", { ...flags, words: words('host'), aliases: ['db'] }],
  ["a hardware address on the host's network", { ...flags, words: words('host'), mac: '02:00:00:00:00:01' }],
  ['a hardware address with slirp4netns', { ...flags, words: words('slirp4netns'), mac: '02:00:00:00:00:01' }],
  ["a port on another container's network", { ...flags, words: words('container:web'), ports: [port] }],
  ["a host name on another container's network", { ...flags, words: words('container:web'), names: ['hostname'] }],
] as const) {
  test(`${name} is refused`, () => assert.throws(() => toNetwork(input), hasCode('FLAGS_CONFLICT')));
}

test('aliases are for every network, an address for the only one', () => {
  assert.equal(toNetwork({ ...flags, words: words('front:alias=a,ip=10.89.0.7', 'back'), aliases: ['db'] }), {
    network: 'networks',
    networks: [
      { network: 'front', aliases: ['a', 'db'], ip: '10.89.0.7' },
      { network: 'back', aliases: ['db'] },
    ],
  });
  assert.is(toNetwork({ ...flags, words: words('front'), ip: '10.89.0.9' }).networks?.[0]?.ip, '10.89.0.9');
});

test('on networks that answer names resolv.conf has them alone, and asks for short names first', () => {
  const dns = { forwarder: '169.254.1.1', host: undefined, servers: ['10.89.0.1', '10.89.1.1'], own: [] };
  const host = 'nameserver 127.0.0.53\nsearch example.com\noptions ndots:2 rotate\n';
  const wanted = 'nameserver 10.89.0.1\nnameserver 10.89.1.1\nsearch example.com\noptions rotate ndots:0\n';
  assert.is(containerResolvConf(host, dns), wanted);
  assert.is(containerResolvConf(host, { ...dns, forwarder: undefined, servers: [] }), '');
});

test('a host name stands for the addresses on networks', () => {
  const text = hostsFile('web', [], { forwarder: undefined, host: undefined, own: ['10.89.0.2', 'fd00::2'] });
  assert.match(text, /^10\.89\.0\.2\tweb\nfd00::2\tweb\n$/m);
  assert.not.match(text, /127\.0\.1\.1|host\.docker\.internal/);
});

test("pasta's own options give way to those of --network pasta:", () => {
  const args = pastaArgs('p', { ports: [], knows: new Set(), asRoot: false, options: ['--mtu', '1500', '-T', '5432', '--map-gw'] });
  assert.equal(args.slice(1, -1), [
    ...['--quiet', '--config-net', '--dns-forward', '169.254.1.1'],
    ...['-t', 'none', '-u', 'none', '-U', 'none', '--mtu', '1500', '-T', '5432'],
  ]);
});

test('a range of ports is one word for pasta', () => {
  const ports = Array.from({ length: 500 }, (_, i) => ({ hostPort: 8000 + i, containerPort: 9000 + i, protocol: 'tcp' as const }));
  const args = pastaArgs('p', { ports, knows: new Set(), asRoot: false });
  assert.ok(args.includes('8000-8499:9000-9499'), args.join(' '));
});

test('what pasta knows is asked once, and again when it was replaced', () =>
  withTmp((folder) => {
    const program = join(folder, 'pasta');
    const log = join(folder, 'log');
    const write = (help: string) => writeFileSync(program, `#!/bin/sh\necho >>${log}\necho '${help}'\n`, { mode: 0o755 });
    write('--map-guest-addr ADDR');
    const asked = () => readdirSync(folder).includes('log');
    assert.equal([...pastaKnows(program, join(folder, 'run')).knows], ['map-guest-addr']);
    assert.ok(asked());
    writeFileSync(log, '');
    pastaKnows(program, join(folder, 'run'));
    assert.is(readdirSync(join(folder, 'run')).length, 1);
    write('no such options at all');
    assert.equal([...pastaKnows(program, join(folder, 'run')).knows], []);
    writeFileSync(join(folder, 'run/pasta.json'), '{');
    assert.equal([...pastaKnows(program, join(folder, 'run')).knows], []);
  }));

test("pasta's build for the processor is taken where there is one", () =>
  withTmp((folder) => {
    const program = join(folder, 'pasta');
    assert.is(buildFor(program, 'flags : sse avx2 aes'), program);
    writeFileSync(`${program}.avx2`, '');
    assert.is(buildFor(program, 'flags : sse avx2 aes'), `${program}.avx2`);
    assert.is(buildFor(program, 'flags : sse avx aes'), program);
  }));

test('options of slirp4netns are checked', () => {
  const { args, forwarder, host } = planSlirp('s', {
    options: ['mtu=1500', 'cidr=10.7.0.0/24', 'allow_host_loopback=true', 'enable_ipv6=true', 'port_handler=slirp4netns'],
  });
  assert.equal([forwarder, host], ['10.7.0.3', '10.7.0.2']);
  for (const word of ['--mtu=1500', '--cidr=10.7.0.0/24', '--enable-ipv6']) assert.ok(args.includes(word), word);
  assert.not.ok(args.includes('--disable-host-loopback'));
  for (const bad of [
    'mtu=x',
    'mtu',
    'nosuch=1',
    'cidr=10.7.0.0',
    'allow_host_loopback=yes',
    'cidr=10.7.0.0/30',
    'port_handler=rootlesskit',
  ]) {
    assert.throws(() => planSlirp('s', { options: [bad] }), hasCode('NETWORK_OPTION_INVALID'));
  }
});

async function rejection(work: Promise<unknown>): Promise<RootlessError> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, RootlessError);
    return error as RootlessError;
  }
  return assert.unreachable() as never;
}

test.run();
