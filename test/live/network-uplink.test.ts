/** The way out of containers on networks while they run: it comes and goes with the networks that lead out, and so do published ports. */

import { type AddressInfo, createServer } from 'node:net';
import * as assert from 'uvu/assert';
import { ok } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';
import { addressOn, exec, inspect, lookUp, refusal, run, withNetwork } from '../support/networks.ts';
import { closed, freePorts } from '../support/ports.ts';

const needs = ['userns', 'busybox', 'pasta', 'tun'] as const;

live('the way out comes with the first network that leads out, and goes with the last; so do ports', needs, () =>
  withNetwork(['--internal'], (inner) =>
    withNetwork([], async (outer) => {
      const port = await freePorts();
      const serve = ['sh', '-c', 'echo hello >/tmp/index.html; exec httpd -f -p 80 -h /tmp'];
      await run(['--name', 'w1', '--network', inner, '-p', `127.0.0.1:${port}:80`], serve);
      await run(['--name', 'w2', '--network', inner]);
      const interfaces = () => exec('w1', 'ls /sys/class/net | tr "\\n" " "');
      const body = async () => (await fetch(`http://127.0.0.1:${port}/index.html`)).text();
      for (const round of [1, 2]) {
        assert.is(await interfaces(), 'eth0 lo', `round ${round}`);
        assert.is(await ok(['port', 'w1']), '');
        assert.not.match(await exec('w1', 'cat /etc/hosts'), /host\.docker\.internal/);
        await ok(['network', 'connect', outer, 'w1']);
        assert.is(await interfaces(), 'eth0 eth1 lo uplink0');
        assert.match(await exec('w1', 'ip route'), /^default .* uplink0/m);
        assert.match(await exec('w1', 'cat /etc/hosts'), new RegExp(`^${await addressOn('w1', outer)}\\t`, 'm'));
        assert.is(await ok(['port', 'w1']), `80/tcp -> 127.0.0.1:${port}\n`);
        assert.is(await eventually(body), 'hello\n');
        const address = await addressOn('w1', inner);
        await eventually(async () => assert.equal(await lookUp('w2', 'w1'), [address]));
        // The next life has what this one has.
        if (round === 2) await ok(['restart', '-t', '0', 'w1']);
        assert.is(await eventually(body), 'hello\n');
        await ok(['network', 'disconnect', outer, 'w1']);
        await eventually(() => closed(port));
        assert.is(await inspect('w1', '{{.State.Status}}'), 'running');
      }
    }),
  ),
);

live('a life that is still to come has the way out that was asked for meanwhile', needs, () =>
  withNetwork(['--internal'], (inner) =>
    withNetwork([], async (outer) => {
      // The first lives are short: the policy waits longer and longer.
      const script = 'ls /sys/class/net | tr "\\n" " "; echo; test -e /sys/class/net/uplink0 || exit 1; exec sleep 300';
      await run(['--name', 'w4', '--network', inner, '--restart', 'always'], ['sh', '-c', script]);
      await eventually(async () => assert.match(await inspect('w4', '{{.RestartCount}} {{.State.Status}}'), /^[5-9] restarting$/));
      await ok(['network', 'connect', outer, 'w4']);
      await eventually(async () => assert.match(await ok(['logs', 'w4']), /^eth0 eth1 lo uplink0 $/m));
      assert.match(await ok(['logs', 'w4']), /^eth0 lo $/m);
    }),
  ),
);

live('a way out that cannot be had leaves the container as it was', needs, () =>
  withNetwork(['--internal'], (inner) =>
    withNetwork([], async (outer) => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      try {
        await run(['--name', 'w3', '--network', inner, '-p', `127.0.0.1:${port}:80`]);
        assert.match(await refusal(['network', 'connect', outer, 'w3']), /is already in use/);
        assert.is(await exec('w3', 'ls /sys/class/net | tr "\\n" " "'), 'eth0 lo');
        assert.is(await inspect('w3', '{{len .NetworkSettings.Networks}}'), '1');
        assert.is(await ok(['network', 'inspect', '-f', '{{len .Containers}}', outer]), '0\n');
      } finally {
        server.close();
      }
    }),
  ),
);

live('on a network without IPv6 no neighbour is one, and none says that it is a router', needs, () =>
  withNetwork([], (four) =>
    withNetwork(['--ipv6'], async (six) => {
      await run(['--name', 'v6', '--network', four, '--network', six]);
      const shown = await exec('v6', 'ip -6 addr show eth0; echo =; ip -6 addr show eth1; cat /proc/sys/net/ipv6/conf/eth1/accept_ra');
      // Where the product itself may not write to /proc/sys this stays as it is.
      const [eth0 = '', eth1 = ''] = shown.split('=');
      assert.is(eth0.trim(), '');
      assert.match(eth1, /inet6 fd/);
      assert.match(eth1, /\n0$/);
    }),
  ),
);

live.run();
