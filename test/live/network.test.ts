/** Networks: none, host, and a private one through pasta, with a published port and names. */

import { spawn } from 'node:child_process';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import * as assert from 'uvu/assert';
import { bin, uid } from '../support/checkout.ts';
import { environment, finished, rootless, start, until } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { withNameserver } from '../support/nameserver.ts';
import { freePorts } from '../support/ports.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox', 'pasta', 'tun'] as const;
const on = (network: string, flags: readonly string[], script: string) => [
  'run',
  '--rm',
  '--network',
  network,
  ...flags,
  busyboxImage(),
  'sh',
  '-c',
  script,
];

live('host shares the interfaces of the host', ['userns', 'busybox'], async () => {
  const { stdout, stderr } = await rootless(on('host', [], 'ip -o link | cut -d: -f2'));
  for (const name of Object.keys(networkInterfaces())) assert.match(stdout, new RegExp(`\\b${name}\\b`), stderr);
});

live('private has an interface with an address and a default route', needs, async () => {
  const { code, stdout, stderr } = await rootless(
    on('private', [], 'ip -o -4 addr show scope global | wc -l; ip route | grep -c ^default'),
  );
  assert.is(code, 0, stderr);
  assert.is(stdout, '1\n1\n');
});

live('the default network is private, and /etc/resolv.conf names a server', needs, async () => {
  const { code, stdout, stderr } = await rootless([
    'run',
    '--rm',
    busyboxImage(),
    'sh',
    '-c',
    'ls /sys/class/net | wc -w; grep -c ^nameserver /etc/resolv.conf',
  ]);
  assert.is(code, 0, stderr);
  const [interfaces, servers] = stdout.trim().split('\n').map(Number);
  assert.is(interfaces, 2);
  assert.ok((servers ?? 0) >= 1);
});

live('the host is reached by name where pasta can do it, and its name is refused where not', needs, async () => {
  const server = createHttpServer((_request, response) => response.end('hello from the host'));
  await listening(server, '0.0.0.0');
  try {
    const { port } = server.address() as AddressInfo;
    // A static busybox cannot look names up: glibc would load its resolver from the image. nc takes the address.
    const script = `ip=$(awk '/ box$/ {print $1}' /etc/hosts) && printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 60 $ip ${port} | tail -n 1`;
    const { code, stdout, stderr } = await rootless(on('private', ['--add-host', 'box:host-gateway'], script));
    if (code === 0) assert.is(stdout, 'hello from the host');
    else assert.match(stderr, /cannot resolve "box" to the host/);
  } finally {
    server.close();
  }
});

live('names are resolved by the resolver of the host, even one on its loopback', [...needs, 'python'], () =>
  withTmp(async (folder) => {
    const argv = withNameserver(folder, uid === 0, [bin, 'run', '--rm', busyboxImage(), 'nslookup', 'name.example']);
    const [program = '', ...args] = argv;
    const { stdout, stderr } = await finished(spawn(program, args, { env: environment }));
    assert.match(stdout, /192\.0\.2\.7/, stderr + stdout);
  }),
);

live("loopback servers of the host are not on the container's own loopback", needs, async () => {
  const server = createServer((socket) => socket.end('secret'));
  await listening(server, '127.0.0.1');
  try {
    const { port } = server.address() as AddressInfo;
    const { stdout } = await rootless(on('private', [], `nc -w 60 127.0.0.1 ${port} </dev/null; echo "nc $?"`));
    assert.is(stdout, 'nc 1\n');
  } finally {
    server.close();
  }
});

for (const [name, flag] of [
  ['a port', (port: number) => `${port}:8000`],
  ['a port on one address', (port: number) => `127.0.0.1:${port}:8000`],
  ['a port with its protocol', (port: number) => `${port}:8000/tcp`],
] as const) {
  live(`${name} is published: ${flag(8080)}`, needs, async () => {
    const port = await freePorts();
    const script = 'echo hello > /tmp/index.html; echo ready; exec httpd -f -p 8000 -h /tmp';
    const child = start(on('private', ['--init', '-p', flag(port)], script));
    await until(child, 'ready');
    const ended = finished(child);
    const body = await eventually(async () => {
      const response = await fetch(`http://127.0.0.1:${port}/index.html`);
      return response.text();
    });
    assert.is(body, 'hello\n');
    child.kill('SIGTERM');
    await ended;
    await eventually(() => refused(port));
  });
}

live('a published port that is taken is refused with 125 and the port', needs, async () => {
  const server = createServer();
  await listening(server, '0.0.0.0');
  try {
    const { port } = server.address() as AddressInfo;
    const { code, stderr } = await rootless(on('private', ['-p', `${port}:8000`], 'true'));
    assert.is(code, 125);
    assert.match(stderr, new RegExp(String(port)));
  } finally {
    server.close();
  }
});

live('a program may listen below port 1024 in its own network', needs, async () => {
  const script = '(echo hi | nc -l -p 80 &) ; for i in $(seq 300); do nc -w 60 127.0.0.1 80 </dev/null && exit 0; sleep 0.1; done; exit 1';
  const { code, stdout } = await rootless(on('none', ['--cap-drop', 'ALL'], script));
  assert.is(code, 0);
  assert.match(stdout, /hi/);
});

function listening(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, address, resolve);
  });
}

function refused(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      reject(new Error(`port ${port} still answers`));
    });
    socket.once('error', () => resolve());
  });
}

live.run();
