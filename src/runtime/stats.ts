/** What a running container uses now: from its cgroup where it has one, else from its processes. */

import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { ownCgroup } from '../cgroup/tree.ts';
import { type CgroupStats, readCgroup } from '../cgroup/stats.ts';
import { type ProcessStat, processesOf, type Scan, ticks } from './processes.ts';
import { isRunning, type Listed } from './state.ts';

/** Counters at one moment; bytes, microseconds. */
export type Sample = {
  readonly source: 'cgroup' | 'proc';
  /** Microseconds of a clock that only goes forward. */
  readonly at: number;
  readonly cpu: number;
  readonly memory: number;
  /** Of the container, else of the machine. */
  readonly memoryLimit: number;
  readonly memoryPeak: number | undefined;
  readonly received: number;
  readonly sent: number;
  readonly read: number;
  readonly written: number;
  readonly tasks: number;
  readonly tasksLimit: number | undefined;
  readonly pressure: CgroupStats['pressure'];
};

/** @param scan  asked for only where there is no cgroup; @returns undefined when it does not run (any more) */
export function takeSample(container: Listed, scan: () => Scan): Sample | undefined {
  const { life } = container;
  if (!isRunning(container) || life === undefined) return undefined;
  const group = ownGroup(life.pid, container.id);
  const whole = group !== undefined && group.cpu !== undefined && group.memory !== undefined && group.tasks !== undefined;
  // The io controller is delegated to few users: then the processes say it, as far as they live.
  const processes = whole && group.read !== undefined ? [] : processesOf(life.pid, scan());
  if (!whole && processes.length === 0) return undefined;
  const net = container.network === 'host' ? { received: 0, sent: 0 } : networkBytes(life.pid);
  const io = group?.read === undefined ? blockBytes(processes) : { read: group.read, written: group.written ?? 0 };
  return {
    source: whole ? 'cgroup' : 'proc',
    at: performance.now() * 1000,
    cpu: group?.cpu ?? cpuTime(processes),
    memory: group?.memory ?? memoryOf(processes),
    memoryLimit: Math.min(group?.memoryLimit ?? Number.POSITIVE_INFINITY, totalmem()),
    memoryPeak: group?.memoryPeak,
    ...net,
    ...io,
    tasks: group?.tasks ?? processes.reduce((sum, { threads }) => sum + threads, 0),
    tasksLimit: group?.tasksLimit,
    pressure: group?.pressure ?? {},
  };
}

/** Percent of one CPU between two samples. A counter that fell, since a process ended, is no negative use. */
export function cpuPercent(before: Sample, now: Sample): number {
  const span = now.at - before.at;
  return span <= 0 ? 0 : (Math.max(0, now.cpu - before.cpu) / span) * 100;
}

/** Only a group that is the container's alone says something of it. */
function ownGroup(pid: number, id: string): CgroupStats | undefined {
  const names = ownCgroup(readText(`/proc/${pid}/cgroup`))?.split('/') ?? [];
  const at = names.findIndex((name) => name.includes(id));
  if (at === -1) return undefined;
  // In a scope the monitor has a folder beside the container's. A program inside may have made groups of its own below that.
  const depth = names[at]?.endsWith('.scope') && names[at + 1] === 'container' ? at + 2 : at + 1;
  return readCgroup(names.slice(0, depth).join('/'));
}

function cpuTime(processes: readonly ProcessStat[]): number {
  return processes.reduce((sum, { time, reapedTime }) => sum + time + reapedTime, 0) * (1_000_000 / ticks);
}

/** Shared pages are divided among those who share them; where that may not be read, they count for each. */
function memoryOf(processes: readonly ProcessStat[]): number {
  return processes.reduce((sum, { pid }) => {
    const shares = /^Pss:\s+(\d+) kB/m.exec(readText(`/proc/${pid}/smaps_rollup`))?.[1];
    const resident = shares ?? /^VmRSS:\s+(\d+) kB/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? 0;
    return sum + Number(resident) * 1024;
  }, 0);
}

function blockBytes(processes: readonly ProcessStat[]): { readonly read: number; readonly written: number } {
  const texts = processes.map(({ pid }) => readText(`/proc/${pid}/io`));
  const sum = (key: string) => texts.reduce((total, text) => total + Number(new RegExp(`^${key}: (\\d+)`, 'm').exec(text)?.[1] ?? 0), 0);
  return { read: sum('read_bytes'), written: sum('write_bytes') };
}

function networkBytes(pid: number): { readonly received: number; readonly sent: number } {
  return parseNetDev(readText(`/proc/${pid}/net/dev`));
}

/** Two lines of headings, then `eth0: BYTES PACKETS … (8 columns) BYTES PACKETS …`; loopback is not traffic. */
export function parseNetDev(text: string): { readonly received: number; readonly sent: number } {
  let [received, sent] = [0, 0];
  for (const line of text.split('\n').slice(2)) {
    const [name = '', numbers = ''] = line.split(':');
    if (numbers === '' || name.trim() === 'lo') continue;
    const fields = numbers.trim().split(/\s+/).map(Number);
    received += fields[0] ?? 0;
    sent += fields[8] ?? 0;
  }
  return { received, sent };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
