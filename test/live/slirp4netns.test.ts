/** slirp4netns in the place of pasta, as on a machine that has no other: networks of containers are whole all the same. */

import { createSocket } from 'node:dgram';
import { readdirSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import * as assert from 'uvu/assert';
import { finished, rootless, runtime, start, until } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { freePorts } from '../support/ports.ts';

const by = ['--network', 'slirp4netns'];
const needs = ['userns', 'busybox', 'slirp4netns', 'tun'] as const;

live('the network is private, has a resolver, and ends with the container', needs, async () => {
  const script = 'ip -o -4 addr show dev tap0; ip route; cat /etc/resolv.conf';
  const { code, stdout, stderr } = await rootless(['run', '--rm', ...by, busyboxImage(), 'sh', '-c', script]);
  assert.is(code, 0, stderr);
  assert.match(stdout, /inet 10\.0\.2\.100\/24/);
  assert.match(stdout, /default via 10\.0\.2\.2/);
  assert.match(stdout, /nameserver 10\.0\.2\.3/);
});

live('ports are published by it: tcp, a range, one address', needs, async () => {
  const [first, one] = [await freePorts(2), await freePorts()];
  const ports = ['-p', `${first}-${first + 1}:8000-8001`, '-p', `127.0.0.1:${one}:8000`];
  const script = 'echo hello > /tmp/index.html; httpd -p 8000 -h /tmp; echo ready; exec httpd -f -p 8001 -h /tmp';
  const child = start(['run', '--rm', ...by, '--init', ...ports, busyboxImage(), 'sh', '-c', script]);
  await until(child, 'ready');
  const ended = finished(child);
  try {
    for (const port of [first, first + 1, one]) {
      assert.is(await eventually(async () => (await fetch(`http://127.0.0.1:${port}/`)).text()), 'hello\n');
    }
    assert.equal(
      readdirSync(runtime).filter((name) => name.startsWith('slirp-')),
      [],
      'its socket is gone when all ports are there',
    );
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
  await eventually(() => assertFree(first));
});

live('a port of UDP is published by it', [...needs, 'python'], async () => {
  const port = await freePorts();
  const listen =
    'import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(("", 9000)); print("ready", flush=True); print(s.recv(9))';
  const child = start(['run', '--rm', ...by, '-p', `127.0.0.1:${port}:9000/udp`, 'host:', 'python3', '-c', listen]);
  await until(child, 'ready');
  const ended = finished(child);
  const socket = createSocket('udp4').on('error', () => {});
  const sender = setInterval(() => socket.send('ping\n', port, '127.0.0.1'), 200);
  const { stdout } = await ended.finally(() => clearInterval(sender));
  socket.close();
  assert.match(stdout, /ping/);
});

live('a restart by policy publishes again', needs, async () => {
  const port = await freePorts();
  const script = 'echo hello > /tmp/index.html; httpd -p 8000 -h /tmp; test -e /again && exec sleep 600; touch /again; exit 1';
  const flags = ['-d', '--name', 'again', '--restart', 'on-failure', '-p', `${port}:8000`];
  const { code, stderr } = await rootless(['run', ...by, ...flags, busyboxImage(), 'sh', '-c', script]);
  assert.is(code, 0, stderr);
  try {
    await eventually(async () => {
      assert.is((await rootless(['inspect', '-f', '{{.RestartCount}} {{.State.Status}}', 'again'])).stdout, '1 running\n');
    });
    assert.is(await eventually(async () => (await fetch(`http://127.0.0.1:${port}/`)).text()), 'hello\n');
  } finally {
    await rootless(['rm', '-f', '-t', '0', 'again']);
  }
});

live('a taken port and one on IPv6 are refused with 125, and leave nothing', needs, async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const taken = await rootless(['run', '--rm', ...by, '-p', `127.0.0.1:${port}:80`, busyboxImage(), 'true']);
  server.close();
  assert.is(taken.code, 125);
  assert.match(taken.stderr, new RegExp(`${port}/tcp is already in use`));
  const six = await rootless(['run', '--rm', ...by, '-p', `[::1]:${port}:80`, busyboxImage(), 'true']);
  assert.is(six.code, 125);
  assert.match(six.stderr, /publishes on IPv4 alone/);
});

live("the host's loopback is reached where that was asked for, and only there", needs, async () => {
  const server = createServer((socket) => socket.end('secret\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const asks = (network: string) =>
    rootless(['run', '--rm', '--network', network, busyboxImage(), 'sh', '-c', `nc -w 5 10.0.2.2 ${port} </dev/null`]);
  try {
    assert.not.match((await asks('slirp4netns')).stdout, /secret/);
    assert.match((await asks('slirp4netns:allow_host_loopback=true')).stdout, /secret/);
  } finally {
    server.close();
  }
});

function assertFree(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()));
  });
}

live.run();
