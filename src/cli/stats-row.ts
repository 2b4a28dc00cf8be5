/** One row of `stats`: docker's fields, and what the kernel says beyond them. Pure. */

import { cpuPercent, type Sample } from '../runtime/stats.ts';
import { binarySize, type Row, size } from './format.ts';

export const statsHeadings = {
  Container: 'CONTAINER',
  ID: 'CONTAINER ID',
  CPUPerc: 'CPU %',
  MemUsage: 'MEM USAGE / LIMIT',
  MemPerc: 'MEM %',
  NetIO: 'NET I/O',
  BlockIO: 'BLOCK I/O',
  PIDs: 'PIDS',
  MemPeak: 'MEM PEAK',
  CPUPressure: 'CPU PRESSURE',
  MemPressure: 'MEM PRESSURE',
  IOPressure: 'IO PRESSURE',
} as const;

export type Measured = {
  /** As typed, or its id. */
  readonly asked: string;
  readonly id: string;
  readonly name: string;
  /** Undefined for one that does not run. */
  readonly before: Sample | undefined;
  readonly now: Sample | undefined;
};

const unknown = '--';

export function statsRow({ asked, id, name, before, now }: Measured, full: boolean): Row {
  const cpu = before && now ? cpuPercent(before, now) : undefined;
  const share = now && (now.memory / now.memoryLimit) * 100;
  return {
    Container: asked,
    ID: full ? id : id.slice(0, 12),
    Name: name,
    CPUPerc: percent(cpu),
    MemUsage: now === undefined ? `${unknown} / ${unknown}` : `${binarySize(now.memory)} / ${binarySize(now.memoryLimit)}`,
    MemPerc: percent(share),
    NetIO: now === undefined ? unknown : `${size(now.received)} / ${size(now.sent)}`,
    BlockIO: now === undefined ? unknown : `${size(now.read)} / ${size(now.written)}`,
    PIDs: now === undefined ? unknown : String(now.tasks),
    MemPeak: now?.memoryPeak === undefined ? unknown : binarySize(now.memoryPeak),
    CPUPressure: percent(now?.pressure.cpu?.some.avg10),
    MemPressure: percent(now?.pressure.memory?.some.avg10),
    IOPressure: percent(now?.pressure.io?.some.avg10),
    // Numbers for programs: bytes, microseconds, percent.
    Raw: now === undefined ? null : { ...raw(now), cpuPercent: cpu ?? 0 },
  };
}

function raw({ at: _, ...sample }: Sample): Row {
  return { ...sample, memoryPeak: sample.memoryPeak ?? null, tasksLimit: sample.tasksLimit ?? null };
}

function percent(value: number | undefined): string {
  return value === undefined ? unknown : `${value.toFixed(2)}%`;
}
