/** Who has a port of this machine, as far as this user may see it. */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** In words: `"nginx" (process 812)`, or whose it is. undefined where it cannot be told. */
export function listenerOf(port: number, protocol: 'tcp' | 'udp', proc = '/proc'): string | undefined {
  const found = ['', '6'].flatMap((version) => parseSockets(read(join(proc, `net/${protocol}${version}`)), port, protocol));
  for (const { inode } of found) {
    const pid = ownerOf(inode, proc);
    if (pid !== undefined) return `"${read(join(proc, pid, 'comm')).trim()}" (process ${pid})`;
  }
  return found[0] === undefined ? undefined : `a process of user ${found[0].uid}`;
}

export type Listening = { readonly uid: number; readonly inode: string };

/** Lines of proc(5) `net/tcp` and its like that listen on a port. */
export function parseSockets(text: string, port: number, protocol: 'tcp' | 'udp'): Listening[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  // TCP_LISTEN; a datagram socket without a peer counts as closed.
  const state = protocol === 'tcp' ? '0A' : '07';
  return text.split('\n').flatMap((line) => {
    const [, local = '', , status, , , , uid, , inode] = line.trim().split(/\s+/);
    return local.endsWith(`:${hex}`) && status === state && inode !== undefined ? [{ uid: Number(uid), inode }] : [];
  });
}

/** The first process that has it open, of those that may be looked into. */
function ownerOf(inode: string, proc: string): string | undefined {
  const wanted = `socket:[${inode}]`;
  return list(proc)
    .filter((name) => /^\d+$/.test(name))
    .find((pid) => list(join(proc, pid, 'fd')).some((fd) => target(join(proc, pid, 'fd', fd)) === wanted));
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function target(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
