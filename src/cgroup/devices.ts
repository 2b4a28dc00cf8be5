/** A disk's numbers: limits of input and output are for a whole disk, by number. */

import { type Stats, statSync } from 'node:fs';
import { RootlessError } from '../errors.ts';
import type { DeviceNumber } from './limits.ts';

/** @throws RootlessError LIMIT_DEVICE_UNUSABLE */
export function deviceNumber(path: string): DeviceNumber {
  const found = look(path);
  if (found.isBlockDevice()) return split(found.rdev);
  throw unusable(path, 'it is not a block device', 'limits are for disks: lsblk');
}

/** makedev(3) of glibc. */
export function split(rdev: number): DeviceNumber {
  const number = BigInt(rdev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n);
  const minor = (number & 0xffn) | ((number >> 12n) & 0xffffff00n);
  return { major: Number(major), minor: Number(minor) };
}

function look(path: string): Stats {
  try {
    return statSync(path);
  } catch (cause) {
    throw unusable(path, 'there is no such device', 'ls -l /dev', cause);
  }
}

function unusable(path: string, why: string, fix: string, cause?: unknown): RootlessError {
  return new RootlessError({ code: 'LIMIT_DEVICE_UNUSABLE', message: `cannot limit device "${path}"`, why, fix, cause });
}
