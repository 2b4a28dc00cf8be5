/** Who makes a container, so that a later process knows whether it still runs: pid, start time and boot id. */

import { bootId, startTime } from '../liveness.ts';

export type Maker = { readonly pid: number; readonly startTime: string; readonly bootId: string };

export function ourselves(): Maker {
  return { pid: process.pid, startTime: startTime('self') ?? '0', bootId: bootId() };
}

export function isAlive(maker: Maker): boolean {
  return maker.bootId === bootId() && startTime(String(maker.pid)) === maker.startTime;
}
