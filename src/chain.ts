/**
 * A lock of processes as a file that names its holder, where a holder that died keeps nobody out. A dead one's file is not taken away,
 * since between a look and a removal it may be another's by now: who comes next makes the next file of the chain, PATH, PATH.next-1, …,
 * and the one who holds the lock is the only one who removes files of the dead.
 */

import { rmSync } from 'node:fs';

export type Chain = {
  readonly path: string;
  /** Makes the file with our name in it, in one step. @returns false where there is one */
  readonly make: (file: string) => boolean;
  /** Who has made it; undefined when it is not there. */
  readonly holderOf: (file: string) => string | undefined;
  readonly isDead: (holder: string) => boolean;
};

const fileAt = (path: string, at: number): string => (at === 0 ? path : `${path}.next-${at}`);

/** Whether a file is one of a chain, and not its first. */
export const isNext = (file: string): boolean => /\.next-\d+$/.test(file);

/** @returns what gives the lock back, or undefined while somebody has it. What `make` throws passes through. */
export function takeChain(chain: Chain): (() => void) | undefined {
  for (let at = 0; ; at += 1) {
    if (chain.make(fileAt(chain.path, at))) return allDead(chain, at) ? once(() => giveBack(chain, at)) : undo(chain, at);
    if (!isDeadAt(chain, at)) return undefined;
  }
}

/** Those before ours were looked at before ours was made: meanwhile the lock may have been given back, and taken anew. */
function allDead(chain: Chain, count: number): boolean {
  for (let at = 0; at < count; at += 1) if (!isDeadAt(chain, at)) return false;
  return true;
}

function isDeadAt({ path, holderOf, isDead }: Chain, at: number): boolean {
  const holder = holderOf(fileAt(path, at));
  return holder !== undefined && isDead(holder);
}

/** Given back twice it might be the next one's. */
function once(work: () => void): () => void {
  let done = false;
  return () => {
    if (!done) work();
    done = true;
  };
}

function undo({ path }: Chain, at: number): undefined {
  rmSync(fileAt(path, at), { force: true });
}

/** From the first on: who takes a file that is free then sees nobody before it, and those behind it are dead, or done as we are. */
function giveBack(chain: Chain, at: number): void {
  for (let later = at + 1; isDeadAt(chain, later); later += 1) rmSync(fileAt(chain.path, later), { force: true });
  for (let each = 0; each <= at; each += 1) rmSync(fileAt(chain.path, each), { force: true });
}
