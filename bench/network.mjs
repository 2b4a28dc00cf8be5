// Networks beside podman's: iperf3 out of a container, into a published port and between two containers; how long an answer takes; what a
// network of its own adds to `run`. One server and one client at a time, rounds alternate.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { get } from 'node:http';
import { networkInterfaces, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { rootless, timeAll } from './time.mjs';

const rounds = 3;
const seconds = 3;
const answers = 200;
const ports = { iperf: 15201, http: 15280, host: 15299 };

export async function measure() {
  const rootfs = makeRootfs(join(tmpdir(), 'network'));
  const imported = spawnSync('sh', ['-c', 'tar -C "$1" -cf - . | podman import -q - bench-network', 'sh', rootfs], { stdio: 'ignore' });
  const ours = engine('rootless', rootless, `rootfs:${rootfs}`, []);
  const podman = ['podman', '--cgroup-manager', 'cgroupfs', '--runtime', 'crun'];
  const engines = [ours, ...(imported.status === 0 ? [engine('podman', podman, 'localhost/bench-network', privateFlags())] : [])];
  try {
    return [...(await flows(engines)), ...started(engines)];
  } finally {
    for (const each of engines) clean(each);
  }
}

/** Each direction with each engine in turn: the best of all rounds is what it can do. */
async function flows(engines) {
  const found = new Map();
  const keep = (name, value, better) => found.set(name, found.has(name) ? better(found.get(name), value) : value);
  for (const each of engines) prepare(each);
  for (let round = 0; round < rounds; round++) {
    for (const each of engines) {
      keep(`${each.name} out`, await intoHost(each), Math.max);
      keep(`${each.name} in`, bits(iperf('127.0.0.1', each.ports.iperf)), Math.max);
      keep(`${each.name} between`, between(each), Math.max);
      keep(`${each.name} answer`, await answerTime(each.ports.http), Math.min);
      keep(`${each.name} ping`, pingTime(each), Math.min);
    }
  }
  const row = (what, name, unit, more) => ({
    section: 'network',
    name,
    value: found.get(`rootless ${what}`),
    peer: `podman, ${privateName()}`,
    other: found.get(`podman ${what}`),
    unit,
    ...more,
  });
  return [
    row('out', 'container to host', 'bits', { least: 1 }),
    row('in', 'host to a published port', 'bits', { least: 1 }),
    { ...row('between', 'container to container', 'bits', { least: 1 }), peer: 'podman, bridge' },
    row('answer', 'connect and answer through a published port', 'ms', { ratio: 1 }),
    { ...row('ping', 'container to container, there and back', 'us', { ratio: 1 }), peer: 'podman, bridge' },
  ];
}

/** What the network of its own costs at each start. */
function started(engines) {
  const times = timeAll(
    engines.flatMap(({ name, argv, image, flags }) =>
      ['none', 'private'].map((network) => ({
        name: `${name} ${network}`,
        argv: argv('run', '--rm', ...(network === 'none' ? ['--network', 'none'] : flags), image, 'true'),
      })),
    ),
    { rounds: 4, runs: 5 },
  );
  const row = (engine, more) => ({
    section: 'network',
    name: `${engine} run, network of its own`,
    value: times.get(`${engine} private`),
    peer: `${engine} run, none`,
    other: times.get(`${engine} none`),
    unit: 'ms',
    ...more,
  });
  return [row('rootless', { plus: 0.015 }), row('podman', {})];
}

/** A container that listens for iperf3 and answers HTTP, with published ports, and one beside it, both on one network. */
function prepare({ run, image, flags, ports: own, network }) {
  clean({ run, network });
  run('network', 'create', network);
  const listen = 'mkdir -p /tmp/w; echo ok >/tmp/w/index.html; httpd -p 80 -h /tmp/w; exec iperf3 -s';
  run('run', '-d', '--name', 'bench-server', ...flags, '-p', `${own.iperf}:5201`, '-p', `${own.http}:80`, image, 'sh', '-c', listen);
  run('run', '-d', '--name', 'bench-peer', '--network', network, image, 'iperf3', '-s');
  run('run', '-d', '--name', 'bench-client', '--cap-add', 'NET_RAW', '--network', network, image, 'sleep', '3600');
  run('run', '-d', '--name', 'bench-out', ...flags, image, 'sleep', '3600');
}

function clean({ run, network }) {
  run('rm', '-f', '-t', '0', 'bench-server', 'bench-peer', 'bench-client', 'bench-out');
  run('network', 'rm', '-f', network);
}

/** The host as the container's /etc/hosts has it, or by its own address. */
async function intoHost({ run }) {
  const server = spawn('iperf3', ['-s', '-1', '-p', String(ports.host)], { stdio: 'ignore' });
  await pause(300);
  const named = /^(\S+)\s.*host\.(docker|containers)\.internal/m.exec(run('exec', 'bench-out', 'cat', '/etc/hosts'))?.[1];
  const target = named ?? ownAddress();
  const value = bits(run('exec', 'bench-out', 'iperf3', '-c', target, '-p', String(ports.host), '-t', String(seconds), '-J'));
  server.kill();
  return value;
}

function between({ run }) {
  const hosts = run('exec', 'bench-peer', 'cat', '/etc/hosts');
  const address = /^(10\.\S+)\s/m.exec(hosts)?.[1] ?? '';
  return bits(run('exec', 'bench-client', 'iperf3', '-c', address, '-t', String(seconds), '-J'));
}

function pingTime({ run }) {
  const address = /^(10\.\S+)\s/m.exec(run('exec', 'bench-peer', 'cat', '/etc/hosts'))?.[1] ?? '';
  const average = /= [\d.]+\/([\d.]+)\//.exec(run('exec', 'bench-client', 'ping', '-q', '-c', '100', '-i', '0.01', address))?.[1];
  return Number(average) / 1000;
}

/** Median of one request after the other, each with a connection of its own. */
async function answerTime(port) {
  const times = [];
  for (let i = 0; i < answers; i++) {
    const begun = performance.now();
    await new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port, path: '/index.html', agent: false }, (response) => response.resume().on('end', resolve)).on(
        'error',
        reject,
      );
    });
    times.push((performance.now() - begun) / 1000);
  }
  return times.sort((a, b) => a - b)[answers >> 1];
}

function iperf(host, port) {
  return must(['iperf3', '-c', host, '-p', String(port), '-t', String(seconds), '-J']);
}

/** What the receiver got, in bits a second. */
function bits(json) {
  return JSON.parse(json.slice(json.indexOf('{'))).end.sum_received.bits_per_second;
}

function engine(name, program, image, flags) {
  const argv = (...args) => [...program, ...args];
  const shift = name === 'rootless' ? 0 : 1;
  return {
    name,
    argv,
    image,
    flags,
    network: 'bench-net',
    ports: { iperf: ports.iperf + shift, http: ports.http + shift },
    run: (...args) => (args[0] === 'rm' || args[1] === 'rm' ? output(argv(...args)) : must(argv(...args))),
  };
}

/** podman's pasta, which it has since 4.4, with the same MTU; before that slirp4netns, which has it anyway. */
function privateFlags() {
  return privateName() === 'pasta' ? ['--network', 'pasta:--mtu,65520'] : [];
}

function privateName() {
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(output(['podman', '--version'])) ?? [];
  return Number(major) > 4 || (Number(major) === 4 && Number(minor) >= 4) ? 'pasta' : 'slirp4netns';
}

function ownAddress() {
  const all = Object.values(networkInterfaces()).flat();
  return all.find((one) => one !== undefined && !one.internal && one.family === 'IPv4')?.address ?? '127.0.0.1';
}

/** busybox, and iperf3 with its libraries where this machine has them. */
function makeRootfs(folder) {
  for (const name of ['bin', 'proc', 'sys', 'dev', 'tmp', 'etc']) mkdirSync(join(folder, name), { recursive: true });
  const program = (name) => output(['sh', '-c', `command -v ${name}`]).trim();
  copyFileSync(program('busybox'), join(folder, 'bin/busybox'));
  for (const name of ['true', 'sh', 'sleep', 'cat', 'ping', 'httpd', 'mkdir', 'echo']) symlinkSync('busybox', join(folder, 'bin', name));
  copyFileSync(program('iperf3'), join(folder, 'bin/iperf3'));
  for (const [, path] of output(['ldd', program('iperf3')]).matchAll(/(\/\S+) \(0x/g)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    copyFileSync(path, join(folder, path));
  }
  return folder;
}

function must(argv) {
  const run = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (run.status !== 0) throw new Error(`${argv.join(' ')}: ${run.stderr}${run.stdout}`);
  return run.stdout;
}

function output(argv) {
  return spawnSync(argv[0], argv.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).stdout ?? '';
}
