/** Whether systemd ends this user's processes at logout (loginctl(1), "enable-linger"). */

import { existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

/** Of users that linger there is a file here. */
const lingering = '/var/lib/systemd/linger';

/** @returns the user's name when nothing of it outlives the last session, undefined when it does, or no systemd counts sessions */
export function willEndAtLogout(cgroup = ownCgroup(), folder = lingering, user = nameOfUser()): string | undefined {
  if (user === undefined || user === 'root' || !/\/user-\d+\.slice\//.test(cgroup)) return undefined;
  return existsSync(`${folder}/${user}`) ? undefined : user;
}

function ownCgroup(): string {
  try {
    return readFileSync('/proc/self/cgroup', 'utf8');
  } catch {
    return '';
  }
}

function nameOfUser(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
