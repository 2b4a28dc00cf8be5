// Whether this machine can have a guest at all; what is missing is a reason to skip, never to pass.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { explainPackages, installPackages, vmPackages } from '../packages.mjs';
import { imageFolder } from './image.mjs';

/** Bytes: the emulator's translations, its guest's memory as far as the tests fill it, and something for this machine. */
const memoryNeeded = 2.5 * 2 ** 30;

/** @returns {string | undefined} why there can be no guest */
export function noGuest() {
  if (process.arch !== 'x64') return `the guest is x86-64, this machine is ${process.arch}`;
  const free = Number(/^MemAvailable:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) * 1024;
  if (free < memoryNeeded) return `only ${(free / 2 ** 30).toFixed(1)} GiB of memory are available, ${memoryNeeded / 2 ** 30} are needed`;
  const missing = installPackages(vmPackages);
  if (missing.length > 0) return `not installed:\n${explainPackages(missing)}`;
  const made = existsSync(join(imageFolder(), 'root.img'));
  return made || process.getuid() === 0 ? undefined : 'only root can make the guest, and nobody has made it for this HOME yet';
}
