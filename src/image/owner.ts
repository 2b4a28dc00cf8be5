/** Who made a temporary file: pid and start time in its name, so that a later process knows whether it is a leftover. */

import { readdirSync, readFileSync } from 'node:fs';

/** `PID-START`; START is field 22 of /proc/PID/stat, clock ticks since boot (proc_pid_stat(5)): a reused pid has another. */
export function ownerTag(): string {
  return `${process.pid}-${startTime('self') ?? '0'}`;
}

/** Whether the process that made `PID-START` still runs. */
export function isAlive(tag: string): boolean {
  const [pid = '', start = ''] = tag.split('-');
  return /^[0-9]+$/.test(pid) && startTime(pid) === start;
}

/** Names in `folder` of the form `PREFIX.tmp-PID-START-RANDOM` whose maker is gone. */
export function leftovers(folder: string): string[] {
  return names(folder).filter((name) => {
    const made = /\.tmp-([0-9]+-[0-9]+)-/.exec(name)?.[1];
    return made !== undefined && !isAlive(made);
  });
}

/** Changes with every boot. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The command name in field 2 may hold spaces and parentheses, so fields are counted from its last ")". */
function startTime(pid: string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
