// The life of containers beside podman's: start, exec, stop, rm, logs, ps among a thousand, a hundred at once, and what stays in memory.
// Both engines have a store of their own here, which goes at the end: whose machine this is keeps what they have.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { proportional, processes } from './memory.mjs';
import { podman, podmanImage } from './podman.mjs';
import { rootless, timeAll } from './time.mjs';

const many = 1000;
const atOnce = 100;
const megabytes = 300;

export async function measure() {
  const folder = mkdtempSync(join(tmpdir(), 'lifecycle-'));
  const rootfs = makeRootfs(join(folder, 'rootfs'));
  const users = process.env.ROOTLESS_DATA;
  process.env.ROOTLESS_DATA = join(folder, 'rootless');
  const ours = engine('rootless', rootless, [`rootfs:${rootfs}`]);
  const engines = [ours, ...(podmanImage('bench', rootfs) ? [engine('podman', podman, ['localhost/bench'])] : [])];
  try {
    return [...single(engines), ...(await talk(engines)), ...(await crowd(engines)), ...among(engines)];
  } finally {
    for (const { argv } of engines) spawnSync('sh', ['-c', `${line(argv('rm', '-f', '-a', '-t', '0'))} >/dev/null`]);
    must([...rootless, 'unshare', 'rm', '-rf', folder]);
    if (users === undefined) delete process.env.ROOTLESS_DATA;
    else process.env.ROOTLESS_DATA = users;
  }
}

/** @returns how to call it: `argv` of a command, `run` it to its end, `make` the arguments of a new container */
function engine(name, program, image) {
  const argv = (...args) => [...program, ...args];
  return {
    name,
    argv,
    run: (...args) => must(argv(...args)),
    make: (verb, id, flags, ...command) => argv(verb, '--name', id, '--network', 'none', ...flags, ...image, ...command),
  };
}

/** One container: each step of its life, alternating with the peer. */
function single(engines) {
  for (const { make } of engines) must(make('run', 'steps', ['-d'], 'sleep', '3600'));
  const steps = [
    ['start', ({ argv }) => ({ argv: argv('start', 'steps'), prepare: line(argv('stop', '-t', '0', 'steps')) })],
    ['stop', ({ argv }) => ({ argv: argv('stop', '-t', '0', 'steps'), prepare: line(argv('start', 'steps')) })],
    ['exec', ({ argv }) => ({ argv: argv('exec', 'steps', 'true'), prepare: line(argv('start', 'steps')) })],
    ['rm', ({ argv, make }) => ({ argv: argv('rm', 'gone'), prepare: line(make('create', 'gone', [], 'true')) })],
  ];
  const rows = [];
  for (const [step, command] of steps) {
    const node = step === 'exec' ? [{ name: 'node -e 0', argv: [process.execPath, '-e', '0'] }] : [];
    const times = timeAll([...engines.map((each) => ({ name: `${each.name} ${step}`, ...command(each) })), ...node], {
      rounds: 3,
      runs: 5,
    });
    rows.push(row(times, step, { ratio: 0.6 }));
    if (step === 'exec') rows.push({ ...row(times, step, { plus: 0.015 }), peer: 'node -e 0', other: times.get('node -e 0') });
  }
  return rows;
}

/** What a container says: how fast it is written down, and read back. It says what it has in a file, as fast as it is listened to. */
async function talk(engines) {
  const writer = `for i in $(seq ${megabytes / 10}); do cat /words; done`;
  const written = new Map();
  for (let round = 0; round < 3; round++) {
    for (const { name, make, run } of engines) {
      const begun = performance.now();
      must(make('run', 'talker', ['-d', '--log-driver', 'k8s-file'], 'sh', '-c', writer));
      run('wait', 'talker');
      const took = (performance.now() - begun) / 1000;
      written.set(`${name} write`, Math.min(took, written.get(`${name} write`) ?? took));
      if (round < 2) run('rm', 'talker');
    }
  }
  const read = timeAll(
    engines.map(({ name, argv }) => ({ name: `${name} logs`, argv: argv('logs', 'talker') })),
    { rounds: 2, runs: 3 },
  );
  return [
    { ...row(written, 'write', { ratio: 0.5 }), name: `a log of ${megabytes} MB, from run to end` },
    { ...row(read, 'logs', { ratio: 0.6 }), name: `a log of ${megabytes} MB, read` },
  ];
}

/** A hundred at the same moment, and what stays beside them. */
async function crowd(engines) {
  const times = new Map();
  const bytes = new Map();
  for (const { name, make, argv } of engines) {
    const keepers = name === 'podman' ? /^conmon/ : /^(memfd:)?rootless/;
    const before = new Set(processes(keepers));
    const names = Array.from({ length: atOnce }, (_, number) => `crowd-${number}`);
    const begun = performance.now();
    await Promise.all(names.map((id) => ended(make('run', id, ['-d'], 'sleep', '3600'))));
    times.set(`${name} crowd`, (performance.now() - begun) / 1000);
    // What stays, not what a start needs for its first moments.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const kept = processes(keepers).filter((pid) => !before.has(pid));
    bytes.set(
      name,
      kept.reduce((sum, pid) => sum + proportional(pid), 0),
    );
    must(argv('rm', '-f', '-t', '0', ...names));
  }
  const memory = { section: 'lifecycle', name: `memory beside ${atOnce} containers`, value: bytes.get('rootless'), unit: 'bytes' };
  return [
    { ...row(times, 'crowd', { ratio: 0.5 }), name: `${atOnce} started at once` },
    { ...memory, peer: 'conmon', other: bytes.get('podman'), ratio: 0.5 },
  ];
}

/** A list of a thousand. */
function among(engines) {
  for (const { make, name } of engines) {
    console.error(`bench: ${name} makes ${many} containers`);
    for (let number = 0; number < many; number += 20) {
      const batch = Array.from({ length: 20 }, (_, more) => line(make('create', `many-${number + more}`, [], 'true')));
      must(['sh', '-c', `${batch.map((each) => `${each} >/dev/null &`).join('\n')}\nwait`]);
    }
  }
  const times = timeAll(
    engines.map(({ name, argv }) => ({ name: `${name} ps`, argv: argv('ps', '-a') })),
    { rounds: 3, runs: 5 },
  );
  return [{ ...row(times, 'ps', { ratio: 0.6 }), name: `ps -a of ${many}` }];
}

function row(times, step, limit) {
  return {
    section: 'lifecycle',
    name: step,
    value: times.get(`rootless ${step}`),
    peer: 'podman',
    other: times.get(`podman ${step}`),
    unit: 'ms',
    ...limit,
  };
}

function must(argv) {
  const run = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8', maxBuffer: 1 << 28 });
  if (run.status !== 0) throw new Error(`${argv.join(' ')}: ${run.stderr}`);
  return run.stdout;
}

function ended(argv) {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0], argv.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] });
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`${argv.join(' ')} ended with ${code}`))));
  });
}

function line(argv) {
  return argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
}

function makeRootfs(folder) {
  mkdirSync(join(folder, 'bin'), { recursive: true });
  for (const name of ['proc', 'sys', 'dev', 'tmp', 'etc']) mkdirSync(join(folder, name));
  const busybox = spawnSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).stdout.trim();
  copyFileSync(busybox, join(folder, 'bin/busybox'));
  for (const name of ['true', 'sh', 'sleep', 'cat', 'seq']) symlinkSync('busybox', join(folder, 'bin', name));
  const words = 'a line of a log that is about as long as the lines of logs are, give or take a few\n';
  writeFileSync(join(folder, 'words'), words.repeat(Math.ceil(1e7 / words.length)));
  return folder;
}
