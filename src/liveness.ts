/** Whether a process that once made something still runs: a pid with its start time names one process of one boot. */

import { readFileSync } from 'node:fs';

/**
 * Field 22 of /proc/PID/stat (proc_pid_stat(5)), clock ticks since boot; undefined when there is no such process. The name in
 * field 2 may hold anything, so fields are counted from its last ")".
 */
export function startTime(pid: string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended: only its parent has not noticed.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** Changes with every boot. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}
