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
