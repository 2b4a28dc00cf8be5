/** docker's rules of where a copy ends up: what is there, what is copied, and how both were typed. Pure. */

import { posix } from 'node:path';
import { RootlessError } from '../errors.ts';

/** A path as it was typed, and what is there once links that count are followed. */
export type Side = {
  /** Absolute; `.` and `/` at its end have their meaning. */
  readonly path: string;
  /** For messages. */
  readonly shown: string;
  readonly what: 'folder' | 'file' | 'nothing';
};

/** `folder` takes an archive whose first entry is `name`; `.`: what is in it goes straight into the folder. */
export type Target = { readonly folder: string; readonly name: string };

/** `name`: of the source, if it was a link that is followed. @throws RootlessError PATH_NOT_FOLDER, PATH_NOT_FOUND, PATH_KIND */
export function copyTarget(from: Side, to: Side, name = baseOf(from.path)): Target {
  if (to.what === 'folder') return { folder: to.path, name };
  if (to.what === 'file') {
    if (from.what === 'folder') {
      throw new RootlessError({ code: 'PATH_KIND', exit: 1, message: `cannot copy a folder to a file: "${to.shown}"` });
    }
    if (saysFolder(to.path)) throw new RootlessError({ code: 'PATH_NOT_FOLDER', exit: 1, message: `not a folder: "${to.shown}"` });
  }
  if (to.what === 'nothing' && from.what === 'file' && saysFolder(to.path)) {
    throw new RootlessError({ code: 'PATH_NOT_FOUND', exit: 1, message: `no such folder: "${to.shown}"` });
  }
  const clean = posix.normalize(to.path).replace(/(.)\/$/, '$1');
  return { folder: posix.dirname(clean), name: posix.basename(clean) };
}

/** The last name; `.` for what is in a folder. */
export function baseOf(path: string): string {
  return saysContents(path) ? '.' : posix.basename(posix.normalize(path)) || '.';
}

/** `DIR/.` */
export function saysContents(path: string): boolean {
  return path === '.' || path.endsWith('/.') || posix.normalize(path) === '/';
}

/** `DIR/` and `DIR/.` */
export function saysFolder(path: string): boolean {
  return path.endsWith('/') || saysContents(path);
}
