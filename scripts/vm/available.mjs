// Whether this machine can have a guest at all; what is missing is a reason to skip, never to pass.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { explainPackages, installPackages, vmPackages } from '../packages.mjs';
import { imageFolder } from './image.mjs';

/** @returns {string | undefined} why there can be no guest */
export function noGuest() {
  if (process.arch !== 'x64') return `the guest is x86-64, this machine is ${process.arch}`;
  const missing = installPackages(vmPackages);
  if (missing.length > 0) return `not installed:\n${explainPackages(missing)}`;
  const made = existsSync(join(imageFolder(), 'root.img'));
  return made || process.getuid() === 0 ? undefined : 'only root can make the guest, and nobody has made it for this HOME yet';
}
