/** Changes of a set of things that belong to no container (networks, volumes): one process at a time, and short. */

import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { explainDisk } from '../image/disk.ts';
import { makeFolders, type Paths } from '../paths.ts';
import { lockAt } from './lock.ts';

/** Milliseconds. */
const patience = 30_000;

interface Set {
  readonly folder: string;
  /** Of the folder, if it is made. */
  readonly mode: number;
  readonly name: string;
  /** Of the error when another process does not give the lock back. */
  readonly code: string;
}

/** Does `work` under the lock of the set. @throws RootlessError with the set's `code`, or of the disk */
export async function changeSet<T>(paths: Paths, { folder, mode, name, code }: Set, work: () => T): Promise<T> {
  makeFolders(folder, mode);
  const release = await lockAt(join(folder, '.lock'), busy, undefined, patience);
  try {
    return work();
  } catch (cause) {
    throw explainDisk(cause, paths);
  } finally {
    release();
  }

  function busy(holder: string | undefined): RootlessError {
    return new RootlessError({
      code,
      message: `the set of ${name} has been locked for ${patience / 1000} s`,
      why: holder === undefined ? undefined : `process ${holder.split(' ')[0]} changes it`,
    });
  }
}
