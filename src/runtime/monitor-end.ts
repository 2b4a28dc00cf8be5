/** Waits for a monitor to end, since it still tidies up after it has said how its container ended; and does without one that hangs. */

import { setTimeout as sleep } from 'node:timers/promises';
import { startTime } from '../liveness.ts';
import { isAlive, type Maker } from './alive.ts';
import type { Life } from './status.ts';

/** @returns whether it ended within the time (milliseconds) */
export async function monitorEnded(monitor: Maker, patience: number): Promise<boolean> {
  const end = performance.now() + patience;
  for (let pause = 1; isAlive(monitor); pause = Math.min(pause * 2, 50)) {
    if (performance.now() > end) return false;
    await sleep(pause);
  }
  return true;
}

/** The kernel kills its container with it (PR_SET_PDEATHSIG). */
export function killMonitor(monitor: Maker): void {
  if (!isAlive(monitor)) return;
  try {
    process.kill(monitor.pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

/**
 * Ends a container whose monitor cannot be asked, its socket being gone: the signal goes to its program, and SIGKILL to the monitor
 * after the time (milliseconds), or at once when it would start the program again.
 */
export async function endWithoutMonitor({ monitor, pid, startTime: began }: Life, signal: number, patience: number): Promise<void> {
  try {
    if (startTime(String(pid)) === began) process.kill(pid, signal);
  } catch {
    // It ended by itself.
  }
  if (await monitorEnded(monitor, patience)) return;
  killMonitor(monitor);
  await monitorEnded(monitor, 1000);
}
