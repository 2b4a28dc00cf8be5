/** Standard output and standard error, written whole and in order, without building Node's streams (2 ms). */

import { writeSync } from 'node:fs';

/** What was asked for. A reader that went away ends the program in peace: see Closed. */
export function print(text: string): void {
  write(1, text);
}

/** All else. Nobody left to tell, or a full disk behind standard error, is no reason to fail. */
export function warn(text: string): void {
  try {
    write(2, text);
  } catch {
    // The exit code still says it.
  }
}

/** The reader of standard output is gone (`rootless images | head -1`): what shells show as 141, 128 + SIGPIPE. */
export class Closed extends Error {}

function write(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // A program that shared this terminal or pipe may have left it non-blocking.
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      else if (code === 'EPIPE' || code === 'EBADF') throw new Closed(code);
      else throw error;
    }
  }
}
