/** Waits for a monitor to end: it still tidies up after it has said how its container ended. */

import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, type Maker } from './alive.ts';

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
