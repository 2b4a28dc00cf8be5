/** Whether a descriptor is a terminal, without node:tty: loading that, with sockets and streams behind it, takes longer than the question. */

import { fstatSync } from 'node:fs';

/** Kinds of device that are nothing but terminals (devices.txt of the kernel): consoles, serial lines, /dev/tty, pseudo terminals. */
const terminals = new Set([4, 5, ...Array.from({ length: 8 }, (_, more) => 136 + more)]);
/** /dev/null, /dev/zero and their like. */
const memory = 1;

export function isTerminal(fd: number): boolean {
  let rdev: number;
  try {
    const stat = fstatSync(fd);
    if (!stat.isCharacterDevice()) return false;
    rdev = stat.rdev;
  } catch {
    return false;
  }
  // makedev(3): the low twelve bits of the major number.
  const major = (rdev >> 8) & 0xfff;
  if (major === memory) return false;
  return terminals.has(major) || process.getBuiltinModule('node:tty').isatty(fd);
}
