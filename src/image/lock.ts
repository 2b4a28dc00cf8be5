/**
 * A lock between processes as a file that names its holder. Node has no flock, so a dead holder is known by pid, start
 * time and boot id, and its lock is taken over.
 */

import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isNext, takeChain } from '../chain.ts';
import { RootlessError } from '../errors.ts';
import { bootId } from '../liveness.ts';
import { temporaryName } from './atomic.ts';
import { isAlive, ownerTag } from './owner.ts';

/** Milliseconds; what is done under the lock takes a few. */
const patience = 30_000;

/** Runs `work` (synchronous, short) while holding `path`. Calls of one process queue up as well. @throws RootlessError STORE_LOCKED */
export async function withLock<T>(path: string, work: () => T, signal?: AbortSignal): Promise<T> {
  using _held = await acquire(path, Date.now() + patience, signal);
  return work();
}

/** Waits for `path` as long as its holder lives; disposing gives it back. For work of minutes, such as a layer that is on its way. */
export function hold(path: string, signal?: AbortSignal): Promise<Disposable> {
  return acquire(path, Number.POSITIVE_INFINITY, signal);
}

/** Takes `path` if it is free, or its holder is gone; undefined when somebody has it. */
export function tryHold(path: string): Disposable | undefined {
  const own = writeOwn(path);
  const release = take(own, path);
  if (release === undefined) rmSync(own, { force: true });
  return release && held(own, release);
}

async function acquire(path: string, deadline: number, signal: AbortSignal | undefined): Promise<Disposable> {
  const own = writeOwn(path);
  try {
    for (;;) {
      const release = take(own, path);
      if (release) return held(own, release);
      if (Date.now() > deadline) throw busy(path);
      await sleep(5 + Math.random() * 20, undefined, signal ? { signal } : {});
    }
  } catch (cause) {
    rmSync(own, { force: true });
    throw cause;
  }
}

function writeOwn(path: string): string {
  const own = temporaryName(path);
  try {
    writeFileSync(own, JSON.stringify({ owner: ownerTag(), boot: bootId(), name: own }), { mode: 0o600 });
  } catch (cause) {
    rmSync(own, { force: true });
    throw isFull(cause) ? noRoom(path, cause) : cause;
  }
  return own;
}

function isFull(cause: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((cause as NodeJS.ErrnoException).code ?? '');
}

/** What makes room elsewhere needs this lock too. */
function noRoom(path: string, cause: unknown): RootlessError {
  return new RootlessError({
    code: 'DISK_FULL',
    message: `no space left to lock "${path}"`,
    why: 'the disk has not even room for a lock of some bytes',
    fix: 'delete another file from that disk first, then: rootless system prune',
    cause,
  });
}

function held(own: string, release: () => void): Disposable {
  return {
    [Symbol.dispose]: () => {
      release();
      rmSync(own, { force: true });
    },
  };
}

function take(own: string, path: string): (() => void) | undefined {
  return takeChain({ path, make: (file) => linked(own, file), holderOf: readHolder, isDead: isStale });
}

/** link(2) fails if the name exists, and the lock appears with its content: no instant shows an empty lock. */
function linked(own: string, file: string): boolean {
  try {
    linkSync(own, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}

/** Those of the lock files that nobody holds any more: the next who wants them takes them over. */
export function staleLocks(files: readonly string[]): string[] {
  const first = files.map((file) => (isNext(file) ? file.slice(0, file.lastIndexOf('.')) : file));
  return [...new Set(first)].filter((file, at) => {
    const holder = readHolder(file) ?? readHolder(files[at] ?? file);
    return holder !== undefined && isStale(holder);
  });
}

function readHolder(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function isStale(holder: string): boolean {
  try {
    const { owner, boot } = JSON.parse(holder) as { owner?: unknown; boot?: unknown };
    return boot !== bootId() || typeof owner !== 'string' || !isAlive(owner);
  } catch {
    return true;
  }
}

function busy(path: string): RootlessError {
  const holder = /"owner":"([0-9]+)/.exec(readHolder(path) ?? '')?.[1];
  return new RootlessError({
    code: 'STORE_LOCKED',
    message: `the image store has been locked for ${patience / 1000} s`,
    why: holder === undefined ? undefined : `process ${holder} holds "${path}"`,
  });
}
