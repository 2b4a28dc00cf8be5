/** Networks: none, host, and a private one through pasta, with a published port and names. */

import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import * as assert from 'uvu/assert';
import { bin, uid } from '../support/checkout.ts';
import { environment, finished, rootless, start, until } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { withNameserver } from '../support/nameserver.ts';
import { closed, freePorts } from '../support/ports.ts';
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
    // A static busybox cannot look names up: glibc would load its resolver from the image. wget takes the address.
    const script = `wget -qO- http://$(awk '$2 == "box" {print $1}' /etc/hosts):${port}/`;
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
    await eventually(() => closed(port));
  });
}

live('a range of ports, and one on IPv6, are published', needs, async () => {
  const [first, six] = [await freePorts(2), await freePorts()];
  const flags = ['-p', `${first}-${first + 1}:8000-8001`, '-p', `[::1]:${six}:8001`];
  const script = 'echo hello > /tmp/index.html; httpd -p 8000 -h /tmp; echo ready; exec httpd -f -p 8001 -h /tmp';
  const child = start(on('private', ['--init', ...flags], script));
  await until(child, 'ready');
  const ended = finished(child);
  try {
    for (const url of [`http://127.0.0.1:${first}/`, `http://127.0.0.1:${first + 1}/`, `http://[::1]:${six}/`]) {
      assert.is(await eventually(async () => (await fetch(url)).text()), 'hello\n', url);
    }
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
});

// No program in the image can listen for datagrams.
live('a port of UDP is published', [...needs, 'python'], async () => {
  const port = await freePorts();
  const listen =
    'import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(("", 9000)); print("ready", flush=True); print(s.recv(9))';
  const child = start(['run', '--rm', '-p', `127.0.0.1:${port}:9000/udp`, 'host:', 'python3', '-c', listen]);
  await until(child, 'ready');
  const ended = finished(child);
  const sender = setInterval(() => send(port), 200);
  const { stdout } = await ended.finally(() => clearInterval(sender));
  assert.match(stdout, /ping/);
});

live('what a client outside is called is seen inside', needs, async () => {
  const port = await freePorts();
  const address = Object.values(networkInterfaces())
    .flat()
    .find((one) => one !== undefined && !one.internal && one.family === 'IPv4')?.address;
  if (address === undefined) return;
  const script = 'echo ok >/tmp/index.html; echo ready; exec httpd -f -v -p 8000 -h /tmp';
  const child = start(on('private', ['--init', '-p', `${port}:8000`], script));
  await until(child, 'ready');
  const ended = finished(child);
  await eventually(async () => (await fetch(`http://${address}:${port}/`)).text());
  child.kill('SIGTERM');
  assert.match((await ended).stderr, new RegExp(`${address.replaceAll('.', '\\.')}.*response:200`));
});

live('a port below the first free one is refused, with the sysctl that frees it', needs, async () => {
  if (uid === 0) return;
  const first = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  if (first <= 1) return;
  const { code, stderr } = await rootless(on('private', ['-p', `${first - 1}:80`], 'true'));
  assert.is(code, 125);
  assert.match(stderr, new RegExp(`ip_unprivileged_port_start=${first - 1}`));
});

live("descriptors of the caller are the program's with --preserve-fds", needs, async () => {
  const argv = [bin, ...on('none', ['--preserve-fds', '2'], 'cat <&3; cat <&4')];
  const open = (args: readonly string[]) =>
    spawn('sh', ['-c', 'exec 3</etc/hostname 4</etc/os-release; exec "$@"', 'sh', ...args], { env: environment });
  const { code, stdout, stderr } = await finished(open(argv));
  assert.is(code, 0, stderr);
  assert.is(stdout, readFileSync('/etc/hostname', 'utf8') + readFileSync('/etc/os-release', 'utf8'));
  const missing = await finished(spawn('sh', ['-c', 'exec 3</etc/hostname; exec "$@"', 'sh', ...argv], { env: environment }));
  assert.is(missing.code, 125);
  assert.match(missing.stderr, /descriptor 4 is not available/);
});

for (const flags of [[], ['-d']]) {
  live(
    `a socket of a service manager is the program's${flags.length > 0 ? ', in the background too' : ''}`,
    [...needs, 'python'],
    async () => {
      const script = 'test "$LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES" = "1 1 web" && readlink /proc/self/fd/3 | grep -q ^socket: && exit 42';
      const pass = [
        'import os, socket, sys',
        's = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(1)',
        'os.dup2(s.fileno(), 3); os.set_inheritable(3, True)',
        'os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="web")',
        'os.execvp(sys.argv[1], sys.argv[1:])',
      ].join('\n');
      const [verb = '', , ...rest] = on('none', ['--name', 'listener', ...flags], script);
      const argv = ['-c', pass, bin, verb, ...rest];
      const { code, stderr } = await finished(spawn('python3', argv, { env: environment }));
      if (flags.length === 0) assert.is(code, 42, stderr);
      else assert.is((await rootless(['wait', 'listener'])).stdout, '42\n', stderr);
      await rootless(['rm', '-f', 'listener']);
    },
  );
}

live("a network namespace that is there is joined, and one that is somebody else's is refused in words", needs, async () => {
  const child = start(on('none', ['--name', 'owner'], 'echo ready; exec sleep 60'));
  await until(child, 'ready');
  const ended = finished(child);
  try {
    const { code, stderr } = await rootless(on('ns:/nosuch/net', [], 'true'));
    assert.is(code, 125);
    assert.match(stderr, /nosuch/);
    assert.match((await rootless(on('ns:relative', [], 'true'))).stderr, /not an absolute path/);
  } finally {
    await rootless(['rm', '-f', '-t', '0', 'owner']);
    await ended;
  }
});

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

/** One datagram; nobody says whether it arrived. */
function send(port: number): void {
  const socket = createSocket('udp4');
  socket.on('error', () => {});
  socket.send('ping\n', port, '127.0.0.1', () => socket.close());
}

live.run();
