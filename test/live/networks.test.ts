/** Networks of the user's: containers reach each other by name, networks are apart, and nothing stays after the last one. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { mode } from '../support/checkout.ts';
import { rootless, runtime } from '../support/cli.ts';
import { ok } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { addressOn, exec, inspect, lookUp, refusal, run, sh, withNetwork } from '../support/networks.ts';

const needs = ['userns', 'busybox', 'pasta', 'tun'] as const;
live('containers on a network reach each other by name, alias and id', needs, () =>
  withNetwork([], async (net) => {
    const id = await run(
      ['--name', 'a1', '--network', net, '--network-alias', 'store'],
      ['sh', '-c', 'echo hello >/tmp/index.html; exec httpd -f -p 80 -h /tmp'],
    );
    await run(['--name', 'b1', '--network', net]);
    const address = await addressOn('a1', net);
    for (const name of ['a1', 'store', 'A1', id.slice(0, 12)]) assert.equal(await lookUp('b1', name), [address], name);
    assert.equal(await lookUp('b1', 'nosuchname'), []);
    assert.is(await eventually(() => exec('b1', `wget -qO- http://${address}/`)), 'hello');
    assert.match(await exec('b1', `ping -c 1 -W 5 ${address}`), / 0% packet loss/);
    assert.match(await exec('b1', `nslookup ${address}`), /name = a1/);
  }),
);

live('two networks are apart, and a container on both reaches both', needs, () =>
  withNetwork([], (one) =>
    withNetwork([], async (other) => {
      await run(['--name', 'a2', '--network', one]);
      await run(['--name', 'b2', '--network', other]);
      await run(['--name', 'c2', '--network', one, '--network', `${other}:alias=both`]);
      const [a, b] = [await addressOn('a2', one), await addressOn('b2', other)];
      assert.equal(await lookUp('a2', 'b2'), []);
      assert.match(await exec('a2', `ping -c 1 -W 1 ${b} || true`), /100% packet loss|unreachable/i);
      for (const address of [a, b]) assert.match(await exec('c2', `ping -c 1 -W 5 ${address}`), / 0% packet loss/);
      assert.equal(await lookUp('b2', 'both'), [await addressOn('c2', other)]);
      assert.equal(await lookUp('a2', 'both'), []);
      assert.is(await exec('c2', 'ls /sys/class/net | tr "\\n" " "'), 'eth0 eth1 lo uplink0');
      assert.is((await ok(['ps', '--format', '{{.Networks}}', '--filter', 'name=c2'])).trim(), `${one},${other}`);
    }),
  ),
);

live('an internal network has no way out', needs, () =>
  withNetwork(['--internal'], async (net) => {
    await run(['--name', 'a3', '--network', net]);
    await run(['--name', 'b3', '--network', net]);
    assert.is(await exec('a3', 'ls /sys/class/net | tr "\\n" " "; ip route | grep -c default || true'), 'eth0 lo 0');
    assert.equal(await lookUp('a3', 'b3'), [await addressOn('b3', net)]);
    assert.equal(await lookUp('a3', 'name.example'), []);
  }),
);

live('a container is put on a network and taken off it while it runs', needs, () =>
  withNetwork([], (one) =>
    withNetwork(['--internal'], async (other) => {
      await run(['--name', 'a4', '--network', one]);
      await run(['--name', 'b4', '--network', other]);
      await ok(['network', 'connect', '--alias', 'late', other, 'a4']);
      const address = await addressOn('a4', other);
      assert.match(await exec('b4', `ping -c 1 -W 5 ${address}`), / 0% packet loss/);
      assert.equal(await lookUp('b4', 'late'), [address]);
      assert.equal(await lookUp('a4', 'b4'), [await addressOn('b4', other)]);
      assert.match(await exec('a4', 'cat /etc/hosts'), new RegExp(`^${address}\\t`, 'm'));
      assert.match(await refusal(['network', 'connect', other, 'a4']), /already exists/);
      await ok(['network', 'disconnect', one, 'a4']);
      assert.not.match(await exec('a4', 'ls /sys/class/net'), /eth0/);
      assert.equal(await lookUp('a4', 'b4'), [await addressOn('b4', other)]);
      assert.match(await refusal(['network', 'disconnect', one, 'a4']), /not connected/);
      await ok(['restart', '-t', '0', 'a4']);
      assert.is(await addressOn('a4', other), address);
      await eventually(async () => assert.equal(await lookUp('b4', 'late'), [address]));
    }),
  ),
);

live('an address is kept by restarts, of the policy too, and given back by rm', needs, () =>
  withNetwork(['--subnet', '10.213.5.0/29'], async (net) => {
    await run(
      ['--name', 'a5', '--network', net, '--restart', 'always'],
      ['sh', '-c', 'trap "exit 1" USR1; echo up; while :; do sleep 1 & wait $!; done'],
    );
    await run(['--name', 'b5', '--network', net]);
    assert.is(await addressOn('a5', net), '10.213.5.2');
    assert.is(await addressOn('b5', net), '10.213.5.3');
    await eventually(async () => assert.match(await ok(['logs', 'a5']), /up/));
    // It ends with the program that it ends.
    await rootless(['exec', 'a5', 'kill', '-USR1', '1']);
    await eventually(async () => assert.is(await inspect('a5', '{{.RestartCount}} {{.State.Status}}'), '1 running'));
    await eventually(async () => assert.equal(await lookUp('b5', 'a5'), ['10.213.5.2']));
    assert.match(await exec('a5', 'ip -4 -o addr show eth0'), /10\.213\.5\.2\/29/);
    await ok(['rm', '-f', 'a5']);
    assert.equal(await lookUp('b5', 'a5'), []);
    await run(['--name', 'c5', '--network', net]);
    assert.is(await addressOn('c5', net), '10.213.5.2');
  }),
);

live('addresses of choice, and those that cannot be had', needs, () =>
  withNetwork(['--subnet', '10.213.6.0/24', '--ipv6', '--subnet', 'fd00:213:6::/64'], async (net) => {
    const flags = ['--ip', '10.213.6.77', '--ip6', 'fd00:213:6::77', '--mac-address', '02:00:00:00:00:77'];
    await run(['--name', 'a6', '--network', net, ...flags]);
    const shown = await exec('a6', 'ip addr show eth0');
    for (const text of ['10.213.6.77/24', 'fd00:213:6::77/64', '02:00:00:00:00:77']) assert.ok(shown.includes(text), shown);
    const bad = (...more: string[]) => refusal(['run', '--rm', '--network', net, ...more, busyboxImage(), 'true']);
    assert.match(await bad('--ip', '10.213.6.77'), /already in use/);
    assert.match(await bad('--ip', '10.213.7.1'), /no address for a container/);
    assert.match(await bad('--ip', '10.213.6.1'), /no address for a container/);
    assert.match(await bad('--mac-address', '02:00:00:00:00:77'), /already in use/);
    assert.match(await bad('--network', 'nosuch'), /network nosuch not found/);
    assert.match(await bad('--network', net), /more than once/);
    assert.match(await bad('--network', 'host'), /conflicting options/);
    assert.is((await ok(['ps', '-aq', '--filter', `network=${net}`])).split('\n').filter(Boolean).length, 1);
    if (mode !== 'single') assert.match(await sh(net, 'ping -6 -c 1 -W 5 fd00:213:6::77'), / 0% packet loss/);
  }),
);

live(
  "addresses that a network keeps are nobody's, and one of IPv6 alone works; a name that DNS cannot have is in nobody's way",
  needs,
  () =>
    withNetwork(['--subnet', '10.213.11.0/24', '--aux-address', 'router=10.213.11.2'], (aux) =>
      withNetwork(['--ipv4=false', '--ipv6'], async (six) => {
        const ipam = await ok(['network', 'inspect', '-f', '{{json (index .IPAM.Config 0)}}', aux]);
        assert.match(ipam, /"AuxiliaryAddresses":{"router":"10\.213\.11\.2"}/);
        assert.match(await refusal(['run', '--rm', '--network', aux, '--ip', '10.213.11.2', busyboxImage()]), /is already in use/);
        assert.match(await sh(aux, 'ip -4 addr show eth0', ['--name', `a..${'x'.repeat(70)}`]), /inet 10\.213\.11\.3\/24/);
        assert.is(await ok(['network', 'inspect', '-f', '{{.EnableIPv4}} {{.EnableIPv6}}', six]), 'false true\n');
        await run(['--name', 'six1', '--network', six]);
        assert.is(await inspect('six1', '{{.NetworkSettings.IPAddress}}'), '');
        const seen = await sh(six, 'ip addr show eth0; ping -6 -c 1 six1');
        assert.not.match(seen, /inet 10\./);
        assert.match(seen, /1 packets received/);
      }),
    ),
);

live('a private container has the hardware address that was asked for, and says so', needs, async () => {
  await run(['--name', 'mac1', '--mac-address', '02-11-22-33-44-AA']);
  try {
    assert.is(await exec('mac1', 'cat /sys/class/net/eth0/address'), '02:11:22:33:44:aa');
    const shown = '{{.NetworkSettings.MacAddress}} {{.NetworkSettings.Networks.private.MacAddress}}';
    assert.is(await inspect('mac1', shown), '02:11:22:33:44:aa 02:11:22:33:44:aa');
  } finally {
    await ok(['rm', '-f', '-t', '0', 'mac1']);
  }
});

live('a new name is known at once, and the old one is not', needs, () =>
  withNetwork([], async (net) => {
    await run(['--name', 'a7', '--network', net, '--network-alias', 'kept']);
    await run(['--name', 'b7', '--network', net]);
    const address = await addressOn('a7', net);
    await ok(['rename', 'a7', 'z7']);
    assert.equal(await lookUp('b7', 'z7'), [address]);
    assert.equal(await lookUp('b7', 'kept'), [address]);
    assert.equal(await lookUp('b7', 'a7'), []);
  }),
);

live("another container's network is shared, with its names and its ports", needs, () =>
  withNetwork([], async (net) => {
    await run(
      ['--name', 'a8', '--network', net, '--hostname', 'main'],
      ['sh', '-c', 'echo hello >/tmp/index.html; exec httpd -f -p 80 -h /tmp'],
    );
    const own = await exec('a8', 'readlink /proc/self/ns/net; hostname; cat /etc/hosts');
    assert.is((await sh('container:a8', 'readlink /proc/self/ns/net; hostname; cat /etc/hosts')).trim(), own);
    assert.is(await sh('container:a8', 'wget -qO- http://127.0.0.1/'), 'hello\n');
    const bad = (...more: string[]) => refusal(['run', '--rm', '--network', 'container:a8', ...more, busyboxImage(), 'true']);
    assert.match(await bad('-p', '80:80'), /port publishing/);
    assert.match(await bad('--hostname', 'x'), /hostname/);
    assert.match(await refusal(['run', '--rm', '--network', 'container:nosuch', busyboxImage(), 'true']), /no such container/);
    await run(['--name', 'b8', '--network', 'container:a8']);
    assert.match(await refusal(['rm', '-f', 'a8']), /other containers need it/);
    await ok(['rm', '-f', '--depend', 'a8']);
    assert.match(await refusal(['inspect', 'b8']), /no such object/);
  }),
);

live('a private container is connected while it does not run', needs, () =>
  withNetwork([], async (net) => {
    await run(['--name', 'a9']);
    try {
      assert.match(await refusal(['network', 'connect', net, 'a9']), /while it runs/);
      await ok(['stop', '-t', '0', 'a9']);
      await ok(['network', 'connect', net, 'a9']);
      await ok(['start', 'a9']);
      assert.match(await exec('a9', 'ls /sys/class/net | tr "\\n" " "'), /^eth0 lo uplink0/);
      await ok(['stop', '-t', '0', 'a9']);
      await ok(['network', 'disconnect', net, 'a9']);
      assert.is(await inspect('a9', '{{.HostConfig.NetworkMode}}'), 'private');
    } finally {
      await rootless(['rm', '-f', 'a9']);
    }
  }),
);

live('a network that is used stays, one that is not goes', needs, () =>
  withNetwork([], async (used) => {
    await ok(['network', 'create', '--label', 'gone=yes', 'unused']);
    await ok(['create', '--name', 'a10', '--network', used, busyboxImage()]);
    assert.match(await refusal(['network', 'rm', used]), /active endpoints \(a10\)/);
    assert.is(await ok(['network', 'prune', '-f']), 'Deleted Networks:\nunused\n\n');
    assert.is(await ok(['network', 'rm', '-f', used, 'nosuch']), `${used}\n`);
    assert.is(await inspect('a10', '{{len .NetworkSettings.Networks}}'), '0');
    await ok(['rm', 'a10']);
  }),
);

live('wrong words of each command are refused, and change nothing', ['userns'], async () => {
  const before = await ok(['network', 'ls', '-q']);
  for (const [args, words] of [
    [['create', 'a/b'], /invalid network name/],
    [['create', 'host'], /predefined/],
    [['create', '--subnet', '10.0.0.1/24', 'x'], /bits are set behind/],
    [['create', '--subnet', 'x', 'x'], /invalid subnet/],
    [['create', '--subnet', '10.213.9.0/24', '--gateway', '10.9.9.9', 'x'], /no matching subnet/],
    [['create', '--gateway', '10.9.9.9', 'x'], /no matching subnet/],
    [['create', '--subnet', '10.213.9.0/24', '--subnet', '10.213.10.0/24', 'x'], /multiple subnets/],
    [['create', '--subnet', '127.0.0.0/8', 'x'], /cannot have these addresses/],
    [['create', '--aux-address', 'a=10.213.9.2', 'x'], /no matching subnet/],
    [['create', '--subnet', '10.213.9.0/24', '--aux-address', '10.213.9.2', 'x'], /invalid auxiliary address/],
    [['create', '--ipv4=false', 'x'], /IPv4 or IPv6 must be enabled/],
    [['create', '--ipv6', '-o', 'mtu=1000', 'x'], /invalid mtu/],
    [['create', '-o', 'com.docker.network.bridge.enable_icc=false', 'x'], /can only be true/],
    [['create', '--route', '10.1.0.0/16,10.213.9.9', 'x'], /routes are a container's own/],
    [['create', '--ipam-opt', 'a=b', 'x'], /--aux-address choose them/],
    [['create', '-d', 'macvlan', 'x'], /host's own interfaces/],
    [['create', '-o', 'nosuch=1', 'x'], /unsupported option/],
    [['create', '-o', 'mtu=abc', 'x'], /invalid mtu/],
    [['create', 'a', 'b'], /at most 1 argument/],
    [['ls', '--filter', 'nosuch=1'], /invalid filter/],
    [['inspect'], /at least 1 argument/],
    [['inspect', 'nosuch'], /network nosuch not found/],
    [['rm', 'nosuch'], /network nosuch not found/],
    [['rm', 'host'], /pre-defined/],
    [['connect', 'nosuch', 'nosuch'], /network nosuch not found/],
    [['connect', 'host', 'nosuch'], /cannot be put on the network "host"/],
    [['disconnect', 'none', 'nosuch'], /cannot be put on the network "none" or taken off/],
    [['connect', 'nosuch'], /exactly 2 arguments/],
    [['disconnect', 'nosuch', 'nosuch'], /network nosuch not found/],
    [['exists'], /exactly 1 argument/],
    [['prune', '--filter', 'name=x'], /invalid filter/],
  ] as const) {
    assert.match(await refusal(['network', ...args]), words);
  }
  assert.is((await rootless(['network', 'exists', 'nosuch'])).code, 1);
  assert.is(await ok(['network', 'ls', '-q']), before);
});

live('a holder that is killed is replaced, and no container loses its network', needs, () =>
  withNetwork([], async (net) => {
    await run(['--name', 'a12', '--network', net]);
    await run(['--name', 'b12', '--network', net]);
    const holder = holderPid();
    assert.type(holder, 'number');
    process.kill(holder as number, 'SIGKILL');
    await eventually(() => assert.is.not(holderPid() ?? holder, holder));
    const address = await addressOn('a12', net);
    await eventually(async () => assert.equal(await lookUp('b12', 'a12'), [address]));
    assert.match(await exec('b12', `ping -c 1 -W 5 ${address}`), / 0% packet loss/);
    await run(['--name', 'c12', '--network', net]);
    assert.equal(await lookUp('c12', 'a12'), [address]);
  }),
);

live('ten containers that start together all find each other', needs, () =>
  withNetwork([], async (net) => {
    const names = Array.from({ length: 10 }, (_, i) => `many${i}`);
    await Promise.all(names.map((name) => run(['--name', name, '--network', net])));
    const addresses = await Promise.all(names.map((name) => addressOn(name, net)));
    assert.is(new Set(addresses).size, 10);
    for (const [index, name] of names.entries()) assert.equal(await lookUp('many0', name), [addresses[index]]);
  }),
);

live('after the last container nothing of networks runs', needs, async () => {
  assert.is(await ok(['ps', '-aq']), '');
  await eventually(() => assert.is(holderPid(), undefined));
});

/** By its command line, which names the folder of this test alone. */
function holderPid(): number | undefined {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const found = pids.find((pid) => commandOf(pid).includes(`network serve --directory ${join(runtime, 'rootless/network')} `));
  return found === undefined ? undefined : Number(found);
}

function commandOf(pid: string): string {
  try {
    return `${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')} `;
  } catch {
    return '';
  }
}

live.run();
