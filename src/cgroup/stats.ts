/** What the kernel counts for a cgroup v2: cgroup-v2.rst, "Interface Files". */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Bytes, microseconds; a value whose controller is not switched on is undefined. */
export type CgroupStats = {
  /** Microseconds of all CPUs. */
  readonly cpu: number | undefined;
  /** Without pages of files that could go at once: docker's meaning. */
  readonly memory: number | undefined;
  /** undefined = none. */
  readonly memoryLimit: number | undefined;
  readonly memoryPeak: number | undefined;
  readonly read: number | undefined;
  readonly written: number | undefined;
  readonly tasks: number | undefined;
  readonly tasksLimit: number | undefined;
  readonly pressure: { readonly cpu?: Pressure | undefined; readonly memory?: Pressure | undefined; readonly io?: Pressure | undefined };
};

/** Pressure stall information (psi.rst): shares of time in percent, and microseconds in all. */
export type Pressure = { readonly some: Stall; readonly full: Stall };
export type Stall = { readonly avg10: number; readonly avg60: number; readonly avg300: number; readonly total: number };

const mountPoint = '/sys/fs/cgroup';

/** @param path relative to /sys/fs/cgroup; @returns undefined when there is no such group any more */
export function readCgroup(path: string): CgroupStats | undefined {
  const read = (name: string) => readText(join(mountPoint, path, name));
  if (read('cgroup.procs') === undefined && read('cgroup.events') === undefined) return undefined;
  return cgroupStats(read);
}

/** @param read a file of the group, undefined when it is not there */
export function cgroupStats(read: (name: string) => string | undefined): CgroupStats {
  const current = number(read('memory.current'));
  const io = ioBytes(read('io.stat'));
  return {
    cpu: keyed(read('cpu.stat'), 'usage_usec'),
    memory: current === undefined ? undefined : Math.max(0, current - (keyed(read('memory.stat'), 'inactive_file') ?? 0)),
    memoryLimit: number(read('memory.max')),
    memoryPeak: number(read('memory.peak')),
    read: io?.read,
    written: io?.written,
    tasks: number(read('pids.current')),
    tasksLimit: number(read('pids.max')),
    pressure: {
      cpu: pressure(read('cpu.pressure')),
      memory: pressure(read('memory.pressure')),
      io: pressure(read('io.pressure')),
    },
  };
}

/** `max` is no number. */
function number(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined;
}

function keyed(text: string | undefined, key: string): number | undefined {
  return number(new RegExp(`^${key} (\\d+)$`, 'm').exec(text ?? '')?.[1]);
}

/** `8:0 rbytes=1 wbytes=2 rios=3 …`, one line a device. */
function ioBytes(text: string | undefined): { readonly read: number; readonly written: number } | undefined {
  if (text === undefined) return undefined;
  const sum = (key: string) =>
    [...text.matchAll(new RegExp(`\\b${key}=(\\d+)`, 'g'))].reduce((total, [, count]) => total + Number(count), 0);
  return { read: sum('rbytes'), written: sum('wbytes') };
}

/** `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and the same for `full`. */
function pressure(text: string | undefined): Pressure | undefined {
  if (text === undefined || !text.includes('some')) return undefined;
  const stall = (kind: string): Stall => {
    const line = new RegExp(`^${kind} (.*)$`, 'm').exec(text)?.[1] ?? '';
    const value = (key: string) => Number(new RegExp(`\\b${key}=([\\d.]+)`).exec(line)?.[1] ?? 0);
    return { avg10: value('avg10'), avg60: value('avg60'), avg300: value('avg300'), total: value('total') };
  };
  return { some: stall('some'), full: stall('full') };
}

/** Undefined also where PSI is built in but switched off (EOPNOTSUPP). */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
