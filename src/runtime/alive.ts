/** Whether a process that once made something still runs: pid, start time and boot id, so that a reused pid is not taken for it. */

import { readFileSync } from 'node:fs';

export type Maker = { readonly pid: number; readonly startTime: string; readonly bootId: string };

export function ourselves(): Maker {
  return { pid: process.pid, startTime: startTime('self') ?? '0', bootId: readBootId() };
}

export function isAlive(maker: Maker): boolean {
  return maker.bootId === readBootId() && startTime(String(maker.pid)) === maker.startTime;
}

/** Changes with every boot. */
export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

/** Field 22 of /proc/PID/stat (proc_pid_stat(5)), clock ticks since boot. The name in field 2 may hold anything, so count from its last ")". */
function startTime(pid: string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended: only its parent has not noticed.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
