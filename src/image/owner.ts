/** Who made a temporary file: pid and start time in its name, so that a later process knows whether it is a leftover. */

import { readdirSync } from 'node:fs';
import { startTime } from '../liveness.ts';

/** `PID-START`: a reused pid has another start time. */
export function ownerTag(): string {
  return `${process.pid}-${startTime('self') ?? '0'}`;
}

/** Whether the process that made `PID-START` still runs. */
export function isAlive(tag: string): boolean {
  const [pid = '', start = ''] = tag.split('-');
  return /^[0-9]+$/.test(pid) && startTime(pid) === start;
}

/** Names in `folder` of the form `PREFIX.tmp-PID-START-RANDOM` whose maker is gone. */
export function leftovers(folder: string): string[] {
  return names(folder).filter((name) => {
    const made = /\.tmp-([0-9]+-[0-9]+)-/.exec(name)?.[1];
    return made !== undefined && !isAlive(made);
  });
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
