/** Whether a process that once made something still runs: a pid with its start time names one process of one boot. */

import { readFileSync, readlinkSync } from 'node:fs';
import { RootlessError } from './errors.ts';

let numbersChecked = false;

/**
 * In a container that was shown the /proc around it, the numbers there are not those of system calls: everything that runs would
 * seem to have ended. @throws RootlessError PROC_FOREIGN
 */
function checkNumbers(): void {
  if (numbersChecked) return;
  const self = readlinkSync('/proc/self');
  if (self !== String(process.pid)) {
    throw new RootlessError({
      code: 'PROC_FOREIGN',
      message: `the /proc here is not that of this container: it knows this process as ${self}, not as ${process.pid}`,
      why: 'the container around this one hides parts of /proc, so that no container inside it can have one of its own',
      fix: 'start the outermost container with --security-opt systempaths=unconfined (docker), --security-opt unmask=ALL (podman, rootless), or procMount: Unmasked with hostUsers: false (Kubernetes)',
    });
  }
  numbersChecked = true;
}

/**
 * Field 22 of /proc/PID/stat (proc_pid_stat(5)), clock ticks since boot; undefined when there is no such process. The name in
 * field 2 may hold anything, so fields are counted from its last ")".
 */
export function startTime(pid: string): string | undefined {
  checkNumbers();
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended: only its parent has not noticed.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

/** Somebody stopped it (SIGSTOP, a debugger): it does nothing until it is let go on. */
export function isStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return /^[tT]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** Changes with every boot. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}
