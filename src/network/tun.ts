/** /dev/net/tun: pasta and slirp4netns both make a tap device in the container's namespace through this one node. */

import { accessSync, constants } from 'node:fs';
import { RootlessError } from '../errors.ts';

const path = '/dev/net/tun';

/** What is wrong with it; undefined where it can be opened. */
export function tunProblem(): { readonly message: string; readonly missing: boolean } | undefined {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    return { message: `"${path}" ${missing ? 'is missing' : 'may not be opened'}`, missing };
  }
}

/** @throws RootlessError TUN_UNAVAILABLE */
export function checkTun(): void {
  const problem = tunProblem();
  if (problem === undefined) return;
  throw new RootlessError({
    code: 'TUN_UNAVAILABLE',
    message: `cannot make a private network: ${problem.message}`,
    why: 'pasta and slirp4netns connect containers through a tap device',
    fix: problem.missing
      ? 'sudo modprobe tun (inside docker or podman: --device /dev/net/tun), or use --network none or --network host'
      : `sudo chmod 666 ${path}, or use --network none or --network host`,
  });
}
