/** Waits for a container to come to a state. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Paths } from '../paths.ts';
import { askMonitor } from './monitor-client.ts';
import { noSuchContainer } from './refusals.ts';
import { isActive, type Listed, readContainer } from './state.ts';

/** podman's words beside docker's `not-running`, `next-exit` and `removed`. */
export const conditions = [
  'not-running',
  'next-exit',
  'removed',
  'configured',
  'created',
  'initialized',
  'running',
  'paused',
  'stopping',
  'stopped',
  'exited',
  'removing',
  'healthy',
  'unhealthy',
] as const;

export type Condition = (typeof conditions)[number];

/** @returns its exit code, 0 when it never ran; -1 for a condition that has nothing to do with an end */
export async function waitForContainer(
  paths: Paths,
  { id, name }: Listed,
  wanted: readonly Condition[],
  interval: number,
  signal?: AbortSignal,
): Promise<number> {
  if (wanted.every((one) => one === 'not-running')) return waitForEnd(paths, id, signal);
  const first = readContainer(paths, id);
  for (let found = first; ; found = readContainer(paths, id)) {
    if (found === undefined) {
      if (wanted.some((one) => ending.has(one))) return codeOfGone(paths, id);
      throw noSuchContainer(name);
    }
    const met = wanted.find((one) => isMet(one, found, first));
    if (met !== undefined) return ending.has(met) ? (found.exit?.code ?? 0) : -1;
    await sleep(interval, undefined, signal ? { signal } : {});
  }
}

/** A container that is gone meanwhile told its monitor's askers first. */
async function waitForEnd(paths: Paths, id: string, signal: AbortSignal | undefined): Promise<number> {
  for (;;) {
    const found = readContainer(paths, id);
    if (found === undefined) return codeOfGone(paths, id);
    if (!isActive(found)) return found.exit?.code ?? 0;
    const answer = await askMonitor(paths, id, { op: 'wait' }, signal);
    if (answer?.code !== undefined) return answer.code;
    await sleep(5);
  }
}

/** One with --rm takes everything along before its monitor can be asked; the journal still has how it ended. */
async function codeOfGone(paths: Paths, id: string): Promise<number> {
  const { readEvents } = await import('./events-read.ts');
  const died = readEvents(paths).findLast((event) => event.id === id && event.type === 'container' && event.action === 'die');
  return Number(died?.attributes['exitCode'] ?? 0);
}

const ending = new Set<Condition>(['not-running', 'next-exit', 'removed', 'stopped', 'exited', 'removing']);

function isMet(wanted: Condition, found: Listed, first: Listed | undefined): boolean {
  switch (wanted) {
    case 'healthy':
    case 'unhealthy':
      return isActive(found) && found.life?.health?.status === wanted;
    case 'not-running':
      return !isActive(found);
    case 'stopped':
    case 'exited':
      return found.status === 'exited';
    case 'next-exit':
      return found.life?.finished !== undefined && found.life.finished !== first?.life?.finished;
    case 'created':
    case 'configured':
    case 'initialized':
      return found.status === 'created';
    case 'running':
    case 'paused':
      return found.status === wanted;
    default:
      return false;
  }
}
