/** Plain numbers of flags. */

import { BadValue } from './bad.ts';

/** `--cpus 1.5`; 0 means no limit. */
export function parseCpus(text: string): number {
  if (!/^(\d+(\.\d*)?|\.\d+)$/.test(text)) {
    throw new BadValue(`failed to parse ${text} as a rational number`, { fix: 'a number of CPUs: 0.5, 2' });
  }
  return Number(text);
}

/** `--pids-limit 100`; 0 and -1 mean no limit. */
export function parsePids(text: string): number {
  if (!/^-?\d{1,10}$/.test(text)) throw new BadValue(`"${text}" is not a whole number`);
  const pids = Number(text);
  if (pids < -1) throw new BadValue('must be -1 (no limit) or more');
  return pids;
}

/** Seconds: `--time 10`; -1 waits for ever. */
export function parseSeconds(text: string): number {
  if (!/^-?\d{1,10}$/.test(text)) throw new BadValue(`"${text}" is not a whole number`, { fix: 'a whole number of seconds' });
  return Number(text);
}

/** A whole number from `least` up. */
export function parseWhole(text: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const number = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(number)) throw new BadValue(`"${text}" is not a whole number`);
  if (number < least || number > most)
    throw new BadValue(most === Number.MAX_SAFE_INTEGER ? `must be ${least} or more` : `must be ${least} to ${most}`);
  return number;
}
