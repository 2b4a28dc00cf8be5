/** One at a time on a container, whatever process: a link in its folder that names the holder, and goes with the folder. */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { takeChain } from '../chain.ts';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { isAlive, ourselves } from './alive.ts';
import { holderOf, made, makerOf } from './links.ts';
import { containerFolder } from './state.ts';

/** Milliseconds. A start may have to unpack layers, and stopping before a removal takes its time. */
const patience = 120_000;

/** Tells apart calls of this process. */
let calls = 0;

/**
 * Runs `work` while no other rootless changes the container. Where no lock can be had, since the folder is gone or may not be
 * written to, `work` finds out itself.
 * @throws RootlessError CONTAINER_BUSY
 */
export async function withLock<T>(paths: Paths, id: string, work: () => Promise<T> | T, signal?: AbortSignal): Promise<T> {
  const release = await lockContainer(paths, id, signal);
  try {
    return await work();
  } finally {
    release();
  }
}

/** @returns what gives the lock back. @throws RootlessError CONTAINER_BUSY */
export function lockContainer(paths: Paths, id: string, signal?: AbortSignal, wait = patience): Promise<() => void> {
  return lockAt(join(containerFolder(paths, id), 'lock'), (holder) => busy(id, holder), signal, wait);
}

/** The same for any link; `busy` says who has not given it back in time. @returns what gives the lock back */
export async function lockAt(
  path: string,
  busy: (holder: string | undefined) => RootlessError,
  signal?: AbortSignal,
  wait = patience,
): Promise<() => void> {
  calls += 1;
  const { pid, startTime, bootId } = ourselves();
  const own = [pid, startTime, bootId, calls].join(' ');
  for (const end = Date.now() + wait; ; ) {
    const release = take(path, own);
    if (release) return release;
    if (Date.now() >= end) throw busy(holderOf(path));
    await sleep(5 + Math.random() * 10, undefined, signal ? { signal } : {});
  }
}

/** No folder, no right to write, no space: there is nothing to wait for, and nothing to give back. */
function take(path: string, own: string): (() => void) | undefined {
  try {
    return takeChain({ path, make: (file) => made(own, file), holderOf, isDead: (holder) => !isAlive(makerOf(holder)) });
  } catch {
    return () => {};
  }
}

function busy(id: string, holder: string | undefined): RootlessError {
  return new RootlessError({
    code: 'CONTAINER_BUSY',
    message: `container ${id.slice(0, 12)} is busy: another rootless has been changing it for ${patience / 1000} s`,
    why: holder === undefined ? undefined : `process ${makerOf(holder).pid} does`,
  });
}
