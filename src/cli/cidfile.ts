/** The file of `--cidfile`: it must be new, and its folder is looked at before a container is made. */

import { accessSync, constants, existsSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { RootlessError } from '../errors.ts';
import { callersMode } from '../umask.ts';

/** @throws RootlessError CIDFILE_EXISTS, CIDFILE_UNWRITABLE */
export function checkCidfile(path: string): void {
  if (existsSync(path)) throw exists(path);
  attempt(path, () => accessSync(`${dirname(resolve(path))}/`, constants.W_OK | constants.X_OK));
}

/** @throws RootlessError CIDFILE_EXISTS, CIDFILE_UNWRITABLE */
export function writeCidfile(path: string, id: string): void {
  attempt(path, () => writeFileSync(path, id, { flag: 'wx', mode: callersMode(0o666) }));
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder',
  ENOTDIR: 'what should be its folder is a file',
  EACCES: 'permission denied',
  EROFS: 'the filesystem is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
};

function attempt(path: string, work: () => void): void {
  try {
    work();
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw exists(path);
    throw new RootlessError({
      code: 'CIDFILE_UNWRITABLE',
      message: `cannot write the container id to "${path}"`,
      why: reasons[code] ?? message,
      cause,
    });
  }
}

function exists(path: string): RootlessError {
  return new RootlessError({
    code: 'CIDFILE_EXISTS',
    message: `container id file "${path}" exists`,
    why: 'it may belong to a container that still runs',
    fix: `rm ${path}`,
  });
}
