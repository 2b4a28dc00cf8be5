/** What a container uses: the kernel's files read as they are written, and docker's row made of them. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cgroupStats, readCgroup } from '../../src/cgroup/stats.ts';
import { binarySize } from '../../src/cli/format.ts';
import { statsRow } from '../../src/cli/stats-row.ts';
import { parseStat, processesOf, readStat } from '../../src/runtime/processes.ts';
import { cpuPercent, parseNetDev, type Sample, takeSample } from '../../src/runtime/stats.ts';
import { containerFacts } from '../support/container-facts.ts';

const files: Readonly<Record<string, string>> = {
  'cpu.stat': 'usage_usec 1500000\nuser_usec 1\nsystem_usec 2\n',
  'memory.current': '4096000\n',
  'memory.stat': 'anon 1\nfile 2\ninactive_file 96000\n',
  'memory.max': 'max\n',
  'memory.peak': '8192000\n',
  'io.stat': '8:0 rbytes=100 wbytes=200 rios=1 wios=2 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=2 rios=1 wios=1 dbytes=0 dios=0\n',
  'pids.current': '7\n',
  'pids.max': '100\n',
  'cpu.pressure': 'some avg10=1.50 avg60=0.20 avg300=0.00 total=1234\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=12\n',
};

test('a cgroup is read as the kernel writes it', () => {
  const stats = cgroupStats((name) => files[name]);
  assert.is(stats.cpu, 1_500_000);
  assert.is(stats.memory, 4_000_000);
  assert.is(stats.memoryLimit, undefined);
  assert.is(stats.memoryPeak, 8_192_000);
  assert.is(stats.read, 101);
  assert.is(stats.written, 202);
  assert.is(stats.tasks, 7);
  assert.is(stats.tasksLimit, 100);
  assert.equal(stats.pressure.cpu, {
    some: { avg10: 1.5, avg60: 0.2, avg300: 0, total: 1234 },
    full: { avg10: 0.5, avg60: 0, avg300: 0, total: 12 },
  });
  assert.is(stats.pressure.io, undefined);
});

test('what a group does not have is not known, and a group that is gone is none', () => {
  const { pressure, ...rest } = cgroupStats(() => undefined);
  assert.equal(new Set(Object.values(rest)), new Set([undefined]));
  assert.equal(Object.values(pressure).filter(Boolean), []);
  assert.is(readCgroup('/no/such/group'), undefined);
});

test('a process may have any name', () => {
  const stat = parseStat('42 (a) b (c) S 1 42 42 34816 42 4194560 1 2 3 4 150 50 10 20 20 5 3 0 999 8192000 500 1\n');
  assert.is(stat?.pid, 42);
  assert.is(stat?.comm, 'a) b (c');
  assert.equal(
    [stat?.state, stat?.ppid, stat?.time, stat?.reapedTime, stat?.nice, stat?.threads, stat?.started, stat?.size],
    ['S', 1, 200, 30, 5, 3, 999, 8192000],
  );
  assert.is(parseStat('nonsense'), undefined);
  assert.is(parseStat(''), undefined);
});

test('we are a process of our own namespace, and nobody is one of a process that is gone', () => {
  assert.is(readStat(process.pid)?.pid, process.pid);
  assert.ok(processesOf(process.pid).some(({ pid }) => pid === process.pid));
  assert.equal(processesOf(2 ** 22 + 1), []);
});

test('traffic is that of all devices but loopback', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1000 10 0 0 0 0 0 0 1000 10 0 0 0 0 0 0
  eth0: 5000 10 0 0 0 0 0 0 700 10 0 0 0 0 0 0
  eth1:1 1 0 0 0 0 0 0 2 1 0 0 0 0 0 0
`;
  assert.equal(parseNetDev(text), { received: 5001, sent: 702 });
  assert.equal(parseNetDev(''), { received: 0, sent: 0 });
});

const sample: Sample = {
  source: 'cgroup',
  at: 1_000_000,
  cpu: 500_000,
  memory: 256 * 1024 * 1024,
  memoryLimit: 1024 * 1024 * 1024,
  memoryPeak: 512 * 1024 * 1024,
  received: 1234,
  sent: 0,
  read: 7_840_000,
  written: 999,
  tasks: 3,
  tasksLimit: undefined,
  pressure: { cpu: { some: { avg10: 1.5, avg60: 0, avg300: 0, total: 1 }, full: { avg10: 0, avg60: 0, avg300: 0, total: 0 } } },
};

test('a share of the processor is of one processor, and never negative', () => {
  assert.is(cpuPercent(sample, { ...sample, at: 2_000_000, cpu: 2_000_000 }), 150);
  assert.is(cpuPercent(sample, { ...sample, at: 2_000_000, cpu: 0 }), 0);
  assert.is(cpuPercent(sample, sample), 0);
});

test("a row has docker's words and numbers for programs", () => {
  const now = { ...sample, at: 2_000_000, cpu: 755_000 };
  const row = statsRow({ asked: 'web', id: 'a'.repeat(64), name: 'web', before: sample, now }, false);
  const { Raw, ...words } = row;
  assert.equal(words, {
    Container: 'web',
    ID: 'aaaaaaaaaaaa',
    Name: 'web',
    CPUPerc: '25.50%',
    MemUsage: '256MiB / 1GiB',
    MemPerc: '25.00%',
    NetIO: '1.23kB / 0B',
    BlockIO: '7.84MB / 999B',
    PIDs: '3',
    MemPeak: '512MiB',
    CPUPressure: '1.50%',
    MemPressure: '--',
    IOPressure: '--',
  });
  assert.is(JSON.parse(JSON.stringify(Raw)).memory, 268435456);
  assert.is(JSON.parse(JSON.stringify(Raw)).pressure.cpu.some.avg10, 1.5);
});

test('of a container that does not run nothing is known', () => {
  const row = statsRow({ asked: 'web', id: 'a', name: 'web', before: undefined, now: undefined }, true);
  assert.equal(
    [row['CPUPerc'], row['MemUsage'], row['MemPerc'], row['NetIO'], row['BlockIO'], row['PIDs']],
    ['--', '-- / --', '--', '--', '--', '--'],
  );
  assert.is(row['Raw'], null);
  const stopped = { ...containerFacts(), status: 'exited', exit: undefined, life: undefined } as const;
  assert.is(
    takeSample(stopped, () => []),
    undefined,
  );
});

test('a process that is gone between the look and the measurement is no sample', () => {
  const monitor = { pid: 1, startTime: '1', bootId: 'b' };
  const life = { status: 'running', monitor, pid: 2 ** 22 + 1, startTime: '1', started: '', restarts: 0 } as const;
  const running = { ...containerFacts(), status: 'running', exit: undefined, life } as const;
  assert.is(
    takeSample(running, () => []),
    undefined,
  );
});

for (const [bytes, text] of [
  [0, '0B'],
  [1023, '1023B'],
  [1024, '1KiB'],
  [1_597_440, '1.523MiB'],
  [8_213_250_048, '7.649GiB'],
  [1024 ** 4, '1TiB'],
] as const) {
  test(`${bytes} bytes of memory are ${text}`, () => assert.is(binarySize(bytes), text));
}

test.run();
