// The helper as an OCI runtime, beside crun, runc and bubblewrap: one bundle of runc's own, without the command line. `unshare` is the floor: clone and exec alone.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeBundle } from './bundle.mjs';
import { helper as own, median, timeAll } from './time.mjs';

const ownFile = "helper of the user's own, all namespaces";
const namespaces = ['user', 'pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'];
const helper = process.env.ROOTLESS_BENCH_INSTALLED ?? own;
const runtimes = { helper, crun: 'crun', runc: 'runc' };

export async function measure() {
  const folder = join(tmpdir(), 'runtime');
  const rootfs = makeBundle(folder);
  const whole = bundleLike(folder, 'whole', (config) => {
    config.linux.namespaces = namespaces.map((type) => ({ type }));
  });
  const staying = bundleLike(folder, 'staying', (config) => {
    config.process.args = ['sleep', '600'];
  });
  const state = (name) => join(folder, `state-${name}`);
  const run = (name, bundle) => [runtimes[name], '--root', state(name), 'run', '--bundle', bundle, 'bench'];
  const bwrap = ['bwrap', '--ro-bind', rootfs, '/', '--proc', '/proc', '--dev', '/dev', '--unshare-all', '--die-with-parent', 'true'];
  const floor = ['unshare', '--user', '--map-root-user', '--mount', '--pid', '--fork', '--net', '--ipc', '--uts', '--cgroup', 'true'];
  const times = timeAll([
    ...Object.keys(runtimes).map((name) => ({ name: `${name} run`, argv: run(name, folder) })),
    ...Object.keys(runtimes).map((name) => ({
      name: `${name} create, start, delete`,
      argv: lifecycle(runtimes[name], state(name), folder),
    })),
    { name: 'helper run, all namespaces', argv: run('helper', whole) },
    ...(helper === own ? [] : [{ name: ownFile, argv: [own, ...run('helper', whole).slice(1)] }]),
    { name: 'bwrap', argv: bwrap },
    { name: 'unshare', argv: floor },
  ]);
  const row = (name, peer, limit) => ({
    section: 'runtime',
    name,
    value: times.get(name),
    peer,
    other: times.get(peer),
    unit: 'ms',
    ...limit,
  });
  const peak = (name) => peakOfLaunch(run(name, staying), [runtimes[name], '--root', state(name), 'kill', 'bench', 'KILL']);
  return [
    row('helper run', 'crun run', { ratio: 0.8 }),
    row('helper run', 'runc run', {}),
    row('helper create, start, delete', 'crun create, start, delete', { ratio: 0.8 }),
    row('helper create, start, delete', 'runc create, start, delete', {}),
    row('helper run, all namespaces', 'bwrap', { ratio: 1.3 }),
    ...(helper === own ? [] : [row(ownFile, 'bwrap', { note: 'sealed first' })]),
    row('helper run, all namespaces', 'unshare', { note: 'the floor: clone and exec alone' }),
    {
      section: 'runtime',
      name: 'launching process, peak memory',
      value: await peak('helper'),
      unit: 'bytes',
      limit: 2 << 20,
      peer: 'crun',
      other: await peak('crun'),
    },
    {
      section: 'runtime',
      name: 'binary',
      value: statSync(helper).size,
      unit: 'bytes',
      limit: 2_000_000,
      peer: 'crun',
      other: sizeOf('crun'),
    },
    ...steps(folder, state('helper')),
  ];
}

/** A bundle with the same root filesystem and something else in its configuration. */
function bundleLike(folder, name, change) {
  const other = join(folder, name);
  mkdirSync(other, { recursive: true });
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
  config.root.path = join(folder, 'rootfs');
  change(config);
  writeFileSync(join(other, 'config.json'), JSON.stringify(config));
  return other;
}

/** What an engine does; the container ends by itself. */
function lifecycle(runtime, state, bundle) {
  const script =
    '"$1" --root "$2" create --bundle "$3" bench >/dev/null </dev/null && "$1" --root "$2" start bench && "$1" --root "$2" delete --force bench';
  return ['sh', '-c', script, 'sh', runtime, state, bundle];
}

/** Highest resident size (proc(5), VmHWM) of the process that launched a container which still runs. */
async function peakOfLaunch([program, ...args], kill) {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'ignore'] });
  const ended = new Promise((resolve) => child.once('close', resolve).once('error', resolve));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const status = child.pid === undefined ? '' : readFileSync(`/proc/${child.pid}/status`, 'utf8');
  spawnSync(kill[0], kill.slice(1), { stdio: 'ignore' });
  await ended;
  const peak = /^VmHWM:\s+(\d+) kB/m.exec(status);
  return peak === null ? undefined : Number(peak[1]) * 1024;
}

function sizeOf(program) {
  const path = spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).stdout.trim();
  return path === '' ? undefined : statSync(path).size;
}

/** Where the milliseconds go: medians of what `--timing` writes. A step of the container is marked; it has pid 1 there. */
function steps(bundle, state, rounds = 40) {
  const file = join(bundle, 'timing');
  const found = new Map();
  for (let round = 0; round < rounds; round++) {
    const run = spawnSync(helper, ['--root', state, '--timing', file, 'run', '--bundle', bundle, 'bench'], { stdio: 'ignore' });
    if (run.status !== 0) throw new Error(`helper --timing: ${run.status}`);
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const [, at, pid, step] = /^\s*([\d.]+)\s+\+[\d.]+\s+(\d+)\s+(.*)$/.exec(line) ?? [];
      if (step === undefined) continue;
      const name = `${pid === '1' ? 'in the container: ' : ''}${step}`;
      found.set(name, [...(found.get(name) ?? []), Number(at) / 1000]);
    }
  }
  const medians = [...found].map(([name, list]) => ({ section: 'runtime', name: `after ${name}`, value: median(list), unit: 'step' }));
  return medians.sort((one, other) => one.value - other.value);
}
