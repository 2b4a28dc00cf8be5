/** Words for what goes wrong when files are copied, compared or packed. Pure. */

import { RootlessError } from '../errors.ts';
import type { HelperResult } from '../helper.ts';
import type { Place } from './archive.ts';

export function explainArchive({ failure, stderr, code }: HelperResult, place: Place, path: string): RootlessError {
  const shown = showPath(place, path);
  const where = failure?.target !== undefined && failure.target !== 'output' ? failure.target : path;
  const facts = { cause: failure, why: failure?.message };
  switch (failure?.errno) {
    case 'ENOENT':
      return new RootlessError({ ...facts, code: 'PATH_NOT_FOUND', exit: 1, message: `no such file or folder: "${shown}"` });
    case 'ENOTDIR':
      return new RootlessError({ ...facts, code: 'PATH_NOT_FOLDER', exit: 1, message: `not a folder: "${shown}"` });
    case 'ENOSPC':
    case 'EDQUOT':
      return new RootlessError({ ...facts, code: 'DISK_FULL', exit: 1, message: `no space left to copy to "${shown}"` });
    case 'EROFS':
      return new RootlessError({
        ...facts,
        code: 'PATH_READ_ONLY',
        exit: 1,
        message: `cannot copy to "${shown}": it is mounted read-only`,
      });
    case 'EACCES':
    case 'EPERM':
      return new RootlessError({ ...facts, code: 'PATH_DENIED', exit: 1, message: `permission denied: "${where}"` });
    default:
  }
  if (failure?.message?.includes('overwrite')) {
    return new RootlessError({ code: 'PATH_KIND', exit: 1, message: `${failure.message} "${where}"`, cause: failure });
  }
  const reason = [failure?.step, failure?.target, failure?.errno, failure?.message].filter(Boolean).join(': ');
  return new RootlessError({
    code: 'ARCHIVE_FAILED',
    exit: 1,
    message: `cannot copy "${shown}"`,
    why: reason || stderr.trim().split('\n').at(-1) || `the helper ended with ${code}`,
    cause: failure,
  });
}

/** `NAME:/path`, as it is typed. */
export function showPath(place: Place, path: string): string {
  return place.kind === 'local' ? path : `${place.container.name}:${path}`;
}
