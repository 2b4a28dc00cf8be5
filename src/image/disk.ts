/** What a full or unwritable disk means for the image store; every other failure passes unchanged. */

import { fileReason } from '../errno.ts';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';

export function explainDisk(cause: unknown, paths: Paths): unknown {
  const { code, path } = cause as NodeJS.ErrnoException;
  if (cause instanceof RootlessError || !(cause instanceof Error)) return cause;
  switch (code) {
    case 'ENOSPC':
    case 'EFBIG':
    case 'EDQUOT':
      return new RootlessError({ code: 'DISK_FULL', message: `no space left in "${paths.data}"`, why: fileReason(cause), cause });
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      if (path?.startsWith(paths.data) !== true) return cause;
      return new RootlessError({ code: 'STORE_UNWRITABLE', message: `cannot write to "${paths.data}"`, why: fileReason(cause), cause });
    default:
      return cause;
  }
}

/** The same for a file or folder of the user's own choice. */
export function explainTarget(cause: unknown, target: string): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (cause instanceof RootlessError || !(cause instanceof Error)) return cause;
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG')
    return new RootlessError({ code: 'DISK_FULL', message: `no space left for "${target}"`, why: fileReason(cause), cause });
  if (code === undefined || !/^(EACCES|EPERM|EROFS|ENOENT|EISDIR|ENOTDIR)$/.test(code)) return cause;
  return new RootlessError({ code: 'SAVE_TARGET', message: `cannot write to "${target}"`, why: fileReason(cause), exit: 1, cause });
}
