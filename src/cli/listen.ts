/** Descriptors of the caller that the program gets too: `--preserve-fds`, and sockets of a service manager (sd_listen_fds(3)). */

import { readFileSync, readlinkSync } from 'node:fs';
import { RootlessError } from '../errors.ts';
import type { Front } from '../front.ts';
import { BadValue } from './values/bad.ts';

export type Preserved = {
  /** From 3 on. */
  readonly count: number;
  /** For the program: how many of them are sockets that wait for it. */
  readonly sockets: readonly string[];
};

export function parsePreserve(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new BadValue(`"${text}" is no number of descriptors`, { fix: '--preserve-fds 2: those with the numbers 3 and 4' });
}

/** @param init  the program is the second process then. @throws RootlessError FD_MISSING */
export function preserved(asked: number | undefined, env: NodeJS.ProcessEnv, front: Front | undefined, init: boolean): Preserved {
  const listen = listening(env, front);
  const count = Math.max(asked ?? 0, listen);
  for (let fd = 3; fd < 3 + count; fd += 1) {
    if (isOpen(fd, front)) continue;
    throw new RootlessError({
      code: 'FD_MISSING',
      message: `file descriptor ${fd} is not available`,
      why: `${listen > (asked ?? 0) ? `LISTEN_FDS=${listen}` : `--preserve-fds ${asked}`} needs those from 3 to ${2 + count}`,
    });
  }
  if (listen === 0) return { count, sockets: [] };
  const names = env['LISTEN_FDNAMES'];
  return { count, sockets: [`LISTEN_PID=${init ? 2 : 1}`, `LISTEN_FDS=${listen}`, ...(names ? [`LISTEN_FDNAMES=${names}`] : [])] };
}

/** Only what was meant for this very process: a variable that an outer service left behind is not. */
function listening(env: NodeJS.ProcessEnv, front: Front | undefined): number {
  const { LISTEN_FDS: fds = '', LISTEN_PID: pid = '' } = env;
  const ours = Number(pid) === process.pid || Number(pid) === front?.pid;
  return ours && /^\d{1,4}$/.test(fds) ? Number(fds) : 0;
}

/**
 * Node marks all that it was given to be closed in other programs, so that only by its kind can be told what is its own. The front opens
 * nothing for others: of it the flags tell.
 */
function isOpen(fd: number, front: Front | undefined): boolean {
  try {
    if (front === undefined) return !readlinkSync(`/proc/self/fd/${fd}`).startsWith('anon_inode:');
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/${front.pid}/fdinfo/${fd}`, 'latin1'))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & 0o2000000) === 0;
  } catch {
    return false;
  }
}
