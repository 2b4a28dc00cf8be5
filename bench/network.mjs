// Networks beside podman's: iperf3 out of a container, into a published port and between two containers; how long an answer takes; what a
// network of its own adds to `run`, and what pasta alone takes. One server and one client at a time, rounds alternate. podman is measured
// with pasta, at the same MTU, and with slirp4netns, its default before version 5.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync } from 'node:fs';
import { get } from 'node:http';
import { networkInterfaces, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { podman, podmanImage } from './podman.mjs';
import { rootless, timeAll } from './time.mjs';

const rounds = 6;
const seconds = 2;
const answers = 200;
const ports = { iperf: 15201, http: 15280, host: 15299 };

export async function measure() {
  const rootfs = makeRootfs(join(tmpdir(), 'network'));
  const ours = engine('rootless', rootless, `rootfs:${rootfs}`, 0);
  const theirs = ['podman', 'slirp4netns'].map((name, at) => engine(name, podman, 'localhost/bench-network', at + 1));
  const engines = [ours, ...(podmanImage('bench-network', rootfs) ? theirs : [])];
  try {
    return [...(await flows(engines)), ...started(engines.filter(({ name }) => name !== 'slirp4netns'))];
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
      if (each.name === 'slirp4netns') continue;
      keep(`${each.name} between`, between(each), Math.max);
      keep(`${each.name} answer`, await answerTime(each.ports.http), Math.min);
      keep(`${each.name} ping`, pingTime(each), Math.min);
    }
  }
  const row = (what, name, unit, more) => ({
    section: 'network',
    name,
    value: found.get(`rootless ${what}`),
    peer: knowsPasta() ? 'podman, pasta' : "podman, pasta with podman 5's flags",
    other: found.get(`podman ${what}`),
    unit,
    ...more,
  });
  const older = (what, name) => {
    const peer = 'podman, slirp4netns';
    return { ...row(what, name, 'bits', { least: 1 }), peer, other: found.get(`slirp4netns ${what}`) };
  };
  return [
    row('out', 'container to host', 'bits', { least: 1 }),
    older('out', 'container to host'),
    row('in', 'host to a published port', 'bits', { least: 1 }),
    older('in', 'host to a published port'),
    { ...row('between', 'container to container', 'bits', { least: 1 }), peer: 'podman, bridge' },
    row('answer', 'connect and answer through a published port', 'ms', { ratio: 1 }),
    { ...row('ping', 'container to container, there and back', 'us', { ratio: 1 }), peer: 'podman, bridge' },
  ];
}

/** What the network of its own costs at each start, and what of it is pasta's. */
function started(engines) {
  const own = (name) => (name === 'podman' && knowsPasta() ? ['--network', 'pasta'] : []);
  const times = timeAll(
    [
      ...engines.flatMap(({ name, argv, image }) =>
        ['none', 'private'].map((network) => ({
          name: `${name} ${network}`,
          argv: argv('run', '--rm', ...(network === 'none' ? ['--network', 'none'] : own(name)), image, 'true'),
        })),
      ),
      { name: 'pasta none', argv: ['unshare', '-rn', 'true'] },
      { name: 'pasta private', argv: [...pasta, '-t', 'none', 'true'] },
    ],
    { rounds: 6, runs: 5 },
  );
  const row = (engine, name, peer, more) => ({
    section: 'network',
    name,
    value: times.get(`${engine} private`),
    peer,
    other: times.get(`${engine} none`),
    unit: 'ms',
    ...more,
  });
  return [
    row('rootless', 'rootless run, network of its own', 'rootless run, none', { plus: 0.015 }),
    row('podman', `podman run, network of its own (${knowsPasta() ? 'pasta' : 'slirp4netns'})`, 'podman run, none', {}),
    row('pasta', 'pasta true', 'unshare -rn true', {}),
  ];
}

/** A container that listens for iperf3 and answers HTTP, with published ports, and one beside it, both on one network. */
function prepare(each) {
  const { run, image, ports: own, network, named } = each;
  clean(each);
  const listen = 'mkdir -p /tmp/w; echo ok >/tmp/w/index.html; httpd -p 80 -h /tmp/w; exec iperf3 -s';
  startPrivate(each, named('server'), [`${own.iperf}:5201`, `${own.http}:80`], ['sh', '-c', listen]);
  startPrivate(each, named('out'), [], ['sleep', '3600']);
  if (each.name === 'slirp4netns') return;
  run('network', 'create', network);
  run('run', '-d', '--name', named('peer'), '--network', network, image, 'iperf3', '-s');
  run('run', '-d', '--name', named('client'), '--cap-add', 'NET_RAW', '--network', network, image, 'sleep', '3600');
}

/** What podman 5 gives to pasta, and the addresses that rootless gives it where there is no --map-guest-addr; `-t` follows. */
const pasta = ['pasta', '--quiet', '--config-net', '--no-map-gw', '--mtu', '65520', '--dns-forward', '169.254.1.1'].concat([
  '-a',
  '10.0.2.100',
  '-n',
  '24',
  '-g',
  '10.0.2.2',
  '-u',
  'none',
  '-T',
  'none',
  '-U',
  'none',
]);

/** With podman before 4.4, which knows slirp4netns only, pasta is started by hand. */
function startPrivate({ name, run, image }, container, published, command) {
  const asked = published.flatMap((port) => ['-p', port]);
  if (name === 'slirp4netns') return run('run', '-d', '--name', container, '--network', name, ...asked, image, ...command);
  if (name === 'rootless') return run('run', '-d', '--name', container, ...asked, image, ...command);
  if (knowsPasta()) return run('run', '-d', '--name', container, '--network', 'pasta:--mtu,65520', ...asked, image, ...command);
  run('run', '-d', '--name', container, '--network', 'none', image, ...command);
  const pid = run('inspect', '-f', '{{.State.Pid}}', container).trim();
  const ports = published.length > 0 ? published.flatMap((port) => ['-t', port]) : ['-t', 'none'];
  return must([...pasta, ...ports, pid]);
}

function clean({ run, network, named }) {
  run('rm', '-f', '-t', '0', ...['server', 'peer', 'client', 'out'].map(named));
  run('network', 'rm', '-f', network);
}

/** The host as the container's /etc/hosts has it, or by its own address. */
async function intoHost({ run, named }) {
  const server = spawn('iperf3', ['-s', '-1', '-p', String(ports.host)], { stdio: 'ignore' });
  await pause(300);
  const address = /^(\S+)\s.*host\.(docker|containers)\.internal/m.exec(run('exec', named('out'), 'cat', '/etc/hosts'))?.[1];
  const target = address ?? ownAddress();
  const value = bits(run('exec', named('out'), 'iperf3', '-c', target, '-p', String(ports.host), '-t', String(seconds), '-J'));
  server.kill();
  return value;
}

function between({ run, named }) {
  const hosts = run('exec', named('peer'), 'cat', '/etc/hosts');
  const address = /^(10\.\S+)\s/m.exec(hosts)?.[1] ?? '';
  return bits(run('exec', named('client'), 'iperf3', '-c', address, '-t', String(seconds), '-J'));
}

function pingTime({ run, named }) {
  const address = /^(10\.\S+)\s/m.exec(run('exec', named('peer'), 'cat', '/etc/hosts'))?.[1] ?? '';
  const average = /= [\d.]+\/([\d.]+)\//.exec(run('exec', named('client'), 'ping', '-q', '-c', '100', '-i', '0.01', address))?.[1];
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

function engine(name, program, image, shift) {
  const argv = (...args) => [...program, ...args];
  return {
    name,
    argv,
    image,
    network: `bench${shift}-net`,
    named: (what) => `bench${shift}-${what}`,
    ports: { iperf: ports.iperf + shift, http: ports.http + shift },
    run: (...args) => (args[0] === 'rm' || args[1] === 'rm' ? output(argv(...args)) : must(argv(...args))),
  };
}

function knowsPasta() {
  const [, major = '0', minor = '0'] = /(\d+)\.(\d+)/.exec(output(['podman', '--version'])) ?? [];
  return Number(major) > 4 || (Number(major) === 4 && Number(minor) >= 4);
}

/** As podman's pasta has it in the container, where /etc/hosts does not say it. */
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
