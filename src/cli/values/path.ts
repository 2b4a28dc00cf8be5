/** Paths inside the container and on the host, as flags name them. */

import { posix } from 'node:path';
import { BadValue } from './bad.ts';

/** Where a mount goes: absolute, cleaned, and not the root. */
export function parseTarget(text: string): string {
  if (!text.startsWith('/')) throw new BadValue(`invalid mount path: '${text}' mount path must be absolute`);
  const path = clean(text);
  if (path === '/') throw new BadValue("invalid mount path: destination can't be '/'");
  return path;
}

/** `-w DIR`. */
export function parseWorkdir(text: string): string {
  if (!text.startsWith('/')) {
    throw new BadValue(`the working directory '${text}' is invalid, it needs to be an absolute path`);
  }
  return clean(text);
}

/** `.` and `..` resolved by name, one slash between words, none at the end. */
export function clean(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}
