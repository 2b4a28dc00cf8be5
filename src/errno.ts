/** What errno(3) numbers mean, in words; the symbol where there is no common word. */

const words: Readonly<Record<string, string>> = {
  EPERM: 'operation not permitted',
  EACCES: 'permission denied',
  ENOENT: 'no such file or folder',
  ENOTDIR: 'not a folder',
  EISDIR: 'it is a folder',
  EINVAL: 'invalid argument',
  ELOOP: 'too many symbolic links',
  ENOMEM: 'out of memory',
  ENOSPC: 'no space left on the disk',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be larger than is allowed',
  EROFS: 'read-only filesystem',
  ENODEV: 'no such device or filesystem',
  ERANGE: 'out of range',
  EBUSY: 'in use',
  EOVERFLOW: 'an id that is not mapped',
};

export function errnoWords(code: string): string {
  return words[code] ?? code;
}

/** Why a call of node:fs failed, without Node's own words for the call and its paths. */
export function fileReason(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  return code !== undefined && words[code] !== undefined ? words[code] : (message ?? String(cause));
}
