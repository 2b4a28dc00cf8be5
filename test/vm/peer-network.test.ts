/** podman with pasta and netavark in the same guest is the judge of networks: the same commands must reach the same things, and be seen from the same addresses. */

import * as assert from 'uvu/assert';
import { live } from '../support/live.ts';
import { good, inPlace, makeRootfs, type Ran, root, rootfs } from '../support/vm.ts';

/** podman makes links in the root filesystem: it has to be ana's own. */
const own = '/tmp/lab-rootfs-ana';
const port = { rootless: 8481, podman: 8482 };

type Engine = keyof typeof port;
const engines: readonly Engine[] = ['rootless', 'podman'];
const image: Readonly<Record<Engine, string>> = { rootless: `rootfs:${own}`, podman: `--rootfs ${own}` };

/** A machine behind a wire, 192.0.2.2, and a server on this one: 192.0.2.1, port 8480. */
function prepare(): void {
  makeRootfs();
  good(
    root(`[ -d ${own} ] || { cp -a ${rootfs} ${own} && chown -R ana: ${own}; }
    [ ! -e /run/netns/far ] || exit 0
    ip netns add far && ip link add wire type veth peer name wire netns far
    ip addr add 192.0.2.1/24 dev wire && ip link set wire up
    ip -n far addr add 192.0.2.2/24 dev wire && ip -n far link set wire up && ip -n far link set lo up
    mkdir -p /tmp/lab-www && echo from the host > /tmp/lab-www/hello && busybox httpd -p 8480 -h /tmp/lab-www`),
  );
}

/** The same shell lines with each engine; @RUN ends with the image, @E is the engine. */
function both(script: string): Record<Engine, Ran> {
  prepare();
  const one = (engine: Engine) =>
    inPlace('user', script.replaceAll('@IMAGE', image[engine]).replaceAll('@PORT', String(port[engine])).replaceAll('@E', engine));
  return { rootless: one('rootless'), podman: one('podman') };
}

/** Asks until there is an answer: servers take a moment. */
const ask = (url: string) => `sh -c 'for i in $(seq 30); do wget -q -T 5 -O - ${url} && exit 0; sleep 1; done; exit 1'`;

live('a service of the host is reached by the name that both give it', [], () => {
  const ran = both(`@E run --rm @IMAGE ${ask('http://host.containers.internal:8480/hello')}`);
  for (const engine of engines) assert.is(good(ran[engine]).split('\n').at(-1), 'from the host', engine);
});

live('a published port is reached from another machine, whose own address the server sees', [], () => {
  const ran = both(
    [
      `@E run -d --name web -p @PORT:80 @IMAGE sh -c 'echo served > /tmp/page; exec httpd -f -vv -p 80 -h /tmp' > /dev/null`,
      `for i in $(seq 60); do sudo ip netns exec far curl -sf --max-time 10 http://192.0.2.1:@PORT/page && break; sleep 1; done`,
      '@E logs web 2>&1; @E rm -f -t 0 web > /dev/null',
    ].join('\n'),
  );
  for (const engine of engines) {
    const out = good(ran[engine]);
    assert.match(out, /^served$/m, engine);
    assert.match(out, /192\.0\.2\.2\]?:\d+/, `${engine}: ${out}`);
  }
});

live('a port that is published on the loopback only is refused to other machines', [], () => {
  const ran = both(
    [
      `@E run -d --name web -p 127.0.0.1:@PORT:80 @IMAGE sh -c 'echo served > /tmp/page; exec httpd -f -p 80 -h /tmp' > /dev/null`,
      'for i in $(seq 60); do curl -sf --max-time 10 http://127.0.0.1:@PORT/page && break; sleep 1; done',
      'sudo ip netns exec far curl -s --max-time 20 http://192.0.2.1:@PORT/page; echo far $?',
      '@E rm -f -t 0 web > /dev/null',
    ].join('\n'),
  );
  for (const engine of engines) assert.equal(good(ran[engine]).split('\n').slice(-2), ['served', 'far 7'], engine);
});

live('on a network of their own containers find each other by name and by alias', [], () => {
  const ran = both(
    [
      '@E network create n1 > /dev/null',
      `@E run -d --name web --network n1 --network-alias other @IMAGE sh -c 'echo served > /tmp/page; exec httpd -f -p 80 -h /tmp' > /dev/null`,
      `@E run --rm --network n1 @IMAGE ${ask('http://web/page')}; @E run --rm --network n1 @IMAGE ${ask('http://other/page')}`,
      // From a network beside it there is no such name.
      '@E network create n2 > /dev/null; @E run --rm --network n2 @IMAGE wget -q -T 5 -O - http://web/page > /dev/null 2>&1 || echo apart',
      '@E rm -f -t 0 web > /dev/null; @E network rm n1 n2 > /dev/null',
    ].join('\n'),
  );
  for (const engine of engines) assert.equal(good(ran[engine]).split('\n').slice(-3), ['served', 'served', 'apart'], engine);
});

live('an internal network has names, and no way out', [], () => {
  const ran = both(
    [
      '@E network create --internal shut > /dev/null',
      `@E run -d --name web --network shut @IMAGE sh -c 'echo served > /tmp/page; exec httpd -f -p 80 -h /tmp' > /dev/null`,
      `@E run --rm --network shut @IMAGE ${ask('http://web/page')}`,
      '@E run --rm --network shut @IMAGE wget -q -T 10 -O - http://192.0.2.1:8480/hello > /dev/null 2>&1 || echo shut',
      '@E rm -f -t 0 web > /dev/null; @E network rm shut > /dev/null',
    ].join('\n'),
  );
  for (const engine of engines) assert.equal(good(ran[engine]).split('\n').slice(-2), ['served', 'shut'], engine);
});

live('what is in a private network: one interface besides the loopback, up, with a way out and a resolver', [], () => {
  const look = `sh -c 'ls /sys/class/net; grep -c ^nameserver /etc/resolv.conf; cat /proc/net/route | tail -n +2 | while read i d g rest; do [ $d != 00000000 ] || echo default; done'`;
  const ran = both(`@E run --rm @IMAGE ${look}`);
  const [ours, theirs] = engines.map((engine) =>
    good(ran[engine])
      .split('\n')
      .filter((line) => /^(lo|default)$/.test(line)),
  );
  assert.equal(ours, ['lo', 'default']);
  assert.equal(theirs, ours);
});

live('--network none is the loopback alone, and host is this machine', [], () => {
  const look = `sh -c 'ls /sys/class/net'`;
  const ran = both(`@E run --rm --network none @IMAGE ${look}; echo =; @E run --rm --network host @IMAGE ${look}`);
  assert.is(good(ran.rootless), good(ran.podman));
});

live.run();
