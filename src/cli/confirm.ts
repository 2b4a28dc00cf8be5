/** docker's question before something is lost: `Are you sure you want to continue? [y/N]`. */

import { readSync } from 'node:fs';
import { RootlessError } from '../errors.ts';
import { print } from './output.ts';

/** @param warning what will be lost, one line each. @throws RootlessError NOT_CONFIRMED for any answer but y */
export function confirm(warning: string): void {
  print(`WARNING! ${warning}\nAre you sure you want to continue? [y/N] `);
  const { text, ended } = readLine();
  if (/^y(es)?$/i.test(text.trim())) return;
  // The line of the question was not ended by an answer: the error begins a new one.
  if (ended) print('\n');
  throw new RootlessError({
    code: 'NOT_CONFIRMED',
    message: 'nothing was removed: it was not confirmed',
    fix: '--force does not ask',
    exit: 1,
  });
}

/** Byte by byte, so that what follows the line stays for whoever reads next. */
function readLine(): { readonly text: string; readonly ended: boolean } {
  const byte = Buffer.alloc(1);
  const bytes: number[] = [];
  for (;;) {
    try {
      if (readSync(0, byte) === 0) break;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
        continue;
      }
      if (code === 'EOF' || code === 'EBADF') break;
      throw error;
    }
    if (byte[0] === 0x0a || bytes.length > 100) return { text: Buffer.from(bytes).toString(), ended: false };
    bytes.push(byte[0] ?? 0);
  }
  return { text: Buffer.from(bytes).toString(), ended: true };
}
