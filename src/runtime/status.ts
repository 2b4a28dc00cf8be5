/** status.json: what a container's monitor wrote down, read as the truth of this moment. */

import { readFileSync, statSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import type { HelperFailure } from '../helper.ts';
import { bootId } from '../liveness.ts';
import { isAlive, type Maker } from './alive.ts';

export type Health = {
  readonly status: 'starting' | 'healthy' | 'unhealthy';
  readonly failingStreak: number;
  readonly log: readonly { readonly start: string; readonly end: string; readonly exitCode: number; readonly output: string }[];
};

/** docs/contract.md, "Monitor". The pid is that of the container's program, as the host sees it. */
export type Life = {
  readonly status: 'running' | 'restarting' | 'exited';
  readonly monitor: Maker;
  readonly pid: number;
  readonly startTime: string;
  /** RFC 3339, like `finished`; undefined when its program never ran. */
  readonly started?: string;
  readonly finished?: string;
  readonly code?: number;
  readonly signal?: number;
  readonly oom?: boolean;
  readonly error?: Omit<HelperFailure, 'event'>;
  /** By the restart policy. */
  readonly restarts: number;
  /** By a user: the policy does not restart it. */
  readonly stopped?: boolean;
  readonly paused?: boolean;
  readonly health?: Health;
};

/** What killed a monitor kills its container too: nobody was there to write it down. */
export const killedCode = 137;

/** @returns undefined when no monitor ever wrote one; one that says "running" without a monitor says "exited" here */
export function readLife(folder: string): Life | undefined {
  const life = parseLife(join(folder, 'status.json'));
  if (life === undefined || life.status === 'exited' || isAlive(life.monitor)) return life;
  const { paused: _, ...rest } = life;
  return { ...rest, status: 'exited', code: killedCode, signal: 9, finished: endOf(life, folder) };
}

/** Nobody saw it: the last word of the monitor, or the start of this boot where that is later. */
function endOf({ monitor, started }: Life, folder: string): string {
  if (monitor.bootId !== bootId()) return new Date(Date.now() - uptime() * 1000).toISOString();
  const written = statSync(join(folder, 'status.json'), { throwIfNoEntry: false })?.mtime;
  return written?.toISOString() ?? started ?? new Date().toISOString();
}

function parseLife(file: string): Life | undefined {
  try {
    const life = JSON.parse(readFileSync(file, 'utf8')) as Partial<Life>;
    return typeof life.status === 'string' && typeof life.monitor?.pid === 'number' ? (life as Life) : undefined;
  } catch {
    return undefined;
  }
}
