/** `--tz`: /etc/localtime of the container. */

import { copyFileSync, statSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { OwnMount } from './mounts.ts';

const database = '/usr/share/zoneinfo';

/** @throws RootlessError TIMEZONE_UNKNOWN */
export function timezoneFile(folder: string, name: string | undefined): OwnMount[] {
  if (name === undefined) return [];
  const source = name === 'local' ? '/etc/localtime' : join(database, normalize(`/${name}`));
  if (statSync(source, { throwIfNoEntry: false })?.isFile() !== true) throw unknown(name, source);
  const copy = join(folder, 'localtime');
  copyFileSync(source, copy);
  return [{ source: copy, target: '/etc/localtime', readOnly: true }];
}

function unknown(name: string, source: string): RootlessError {
  return new RootlessError({
    code: 'TIMEZONE_UNKNOWN',
    message: `unknown time zone "${name}"`,
    why: `there is no file "${source}"`,
    fix: 'a name like Europe/Berlin, or local for the time zone of this machine',
  });
}
