/** The processes of a container, found by its pid namespace: also those that `exec` put there, and namespaces inside. */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Field names of proc_pid_stat(5). */
export type ProcessStat = {
  readonly pid: number;
  readonly comm: string;
  readonly state: string;
  readonly ppid: number;
  readonly pgrp: number;
  readonly tty: number;
  /** Clock ticks: its own, and those of children that it has waited for. */
  readonly time: number;
  readonly reapedTime: number;
  readonly nice: number;
  readonly threads: number;
  /** Clock ticks after boot. */
  readonly started: number;
  /** Bytes. */
  readonly size: number;
};

/** sysconf(_SC_CLK_TCK): 100 on every Linux that Node runs on. */
export const ticks = 100;

/** Every process of this machine that can be seen, at one moment: good for many containers. */
export type Scan = readonly { readonly stat: ProcessStat; readonly namespace: string | undefined }[];

/** Oldest first. */
export function scanProcesses(): Scan {
  return pids()
    .flatMap((pid) => readStat(pid) ?? [])
    .sort((a, b) => a.started - b.started || a.pid - b.pid)
    .map((stat) => ({ stat, namespace: namespaceOf(stat.pid) }));
}

/** @param init  the container's first process; @returns none when it is gone */
export function processesOf(init: number, scan: Scan = scanProcesses()): ProcessStat[] {
  const namespace = scan.find(({ stat }) => stat.pid === init)?.namespace;
  if (namespace === undefined) return [];
  const inside = new Set<number>([init]);
  // A namespace inside the container has another name: its processes descend from one that has ours.
  for (const { stat, namespace: own } of scan) {
    if (own === namespace || inside.has(stat.ppid)) inside.add(stat.pid);
  }
  return scan.filter(({ stat }) => inside.has(stat.pid)).map(({ stat }) => stat);
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

/** Undefined for a process that is gone. */
export function readStat(pid: number): ProcessStat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return undefined;
  }
}

/** The name may hold anything, also spaces and brackets: fields are counted from its last ")". */
export function parseStat(text: string): ProcessStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open === -1 || close < open) return undefined;
  const fields = text.slice(close + 2).split(' ');
  const field = (index: number) => Number(fields[index - 3] ?? 0);
  return {
    pid: Number(text.slice(0, open - 1)),
    comm: Buffer.from(text.slice(open + 1, close), 'latin1').toString(),
    state: fields[0] ?? '?',
    ppid: field(4),
    pgrp: field(5),
    tty: field(7),
    time: field(14) + field(15),
    reapedTime: field(16) + field(17),
    nice: field(19),
    threads: field(20),
    started: field(22),
    size: field(23),
  };
}
