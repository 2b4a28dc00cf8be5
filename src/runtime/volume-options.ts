/** Options of the driver `local` (`volume create -o`): what a user without privileges can have of mount(8). */

import { statSync } from 'node:fs';
import { RootlessError } from '../errors.ts';
import type { MountBacking } from './mounts.ts';
import type { Volume } from './volume-store.ts';

/** tmpfs(5), as far as it means something in a user namespace. */
const tmpfsOption = /^(size=\d+[kmg%]?|mode=[0-7]{1,5}|[ug]id=\d+|nr_(inodes|blocks)=\d+[kmg]?|noatime|r[ow]|(no)?(exec|suid|dev))$/i;
const bindOption = /^(r?bind|r?ro|rw|(no)?(exec|suid|dev))$/;

/** @throws RootlessError VOLUME_OPTIONS_INVALID, VOLUME_OPTIONS_REFUSED */
export function checkVolumeOptions(options: Readonly<Record<string, string>>): void {
  const unknown = Object.keys(options).find((key) => !['type', 'device', 'o'].includes(key));
  if (unknown !== undefined) throw invalid(`invalid option: "${unknown}"`, 'options are type, device and o');
  const { type, device } = options;
  const words = wordsOf(options);
  if (type === undefined && device === undefined && words.length === 0) return;
  const known = type === 'tmpfs' ? tmpfsOption : isBind(type, words) ? bindOption : undefined;
  if (known === undefined) throw refused(type ?? 'none');
  if (known === bindOption && device?.startsWith('/') !== true) {
    throw invalid('missing device in volume options', 'device is the absolute path of a folder');
  }
  const bad = words.find((word) => !known.test(word));
  if (bad !== undefined) throw invalid(`invalid mount option "${bad}"`, `those of this type are ${known.source}`);
}

/** What is mounted instead of the volume's own folder; undefined without options. @throws RootlessError VOLUME_DEVICE_MISSING */
export function backingOf({ name, options }: Volume): MountBacking | undefined {
  if (options['type'] === 'tmpfs') return { kind: 'tmpfs', options: wordsOf(options) };
  const { device } = options;
  if (device === undefined) return undefined;
  if (statSync(device, { throwIfNoEntry: false })) return { kind: 'path', source: device, options: wordsOf(options) };
  throw new RootlessError({
    code: 'VOLUME_DEVICE_MISSING',
    message: `cannot mount volume "${name}": there is no "${device}"`,
    why: 'the volume stands for this folder',
    fix: `mkdir -p ${device}`,
  });
}

function wordsOf(options: Readonly<Record<string, string>>): string[] {
  return (options['o'] ?? '').split(',').filter((word) => word !== '');
}

function isBind(type: string | undefined, words: readonly string[]): boolean {
  return words.some((word) => /^r?bind$/.test(word)) && (type === undefined || type === 'none' || type === 'bind');
}

function refused(type: string): RootlessError {
  return new RootlessError({
    code: 'VOLUME_OPTIONS_REFUSED',
    message: `cannot make a volume of type "${type}"`,
    why: 'only root may mount such a filesystem; a user can have -o type=tmpfs, and folders with -o type=none -o o=bind -o device=FOLDER',
  });
}

function invalid(message: string, why: string): RootlessError {
  return new RootlessError({ code: 'VOLUME_OPTIONS_INVALID', message, why });
}
