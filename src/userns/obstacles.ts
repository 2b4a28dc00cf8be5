/** What stands between this user and a range of subordinate ids, in words. */

import type { Host } from './host.ts';
import { diagnoseMapper } from './newuidmap.ts';
import type { Subids } from './subid.ts';

export type Obstacle = { readonly code: string; readonly message: string; readonly why?: string; readonly fix?: string };

/** The first reason why subordinate ranges cannot be mapped; undefined if they can. */
export function findObstacle(host: Host, ranges: Subids): Obstacle | undefined {
  if (ranges.uid.length === 0 || ranges.gid.length === 0) return missingRange(host);
  if (host.canMap) return undefined;
  if (host.privilegesBarred) return barredMappers(host.privilegesBarred);
  const missing = host.mappers.uid === undefined ? 'newuidmap' : host.mappers.gid === undefined ? 'newgidmap' : undefined;
  if (missing || !host.mappers.uid || !host.mappers.gid) return missingMapper(missing ?? 'newuidmap');
  for (const mapper of [host.mappers.uid, host.mappers.gid]) {
    // A set-uid program on a normal mount is the usual case and costs nothing; only the unusual one is looked into.
    const fault = mapper.setuid ? undefined : diagnoseMapper(mapper);
    if (fault) return powerlessMapper(mapper.path, fault);
  }
  return undefined;
}

function missingRange(host: Host): Obstacle {
  const kind = host.subids.uid.length === 0 ? 'user' : 'group';
  const file = kind === 'user' ? '/etc/subuid' : '/etc/subgid';
  const listed = host.subids.uid.length > 0 && host.subids.gid.length > 0;
  if (listed) {
    return {
      code: 'SUBID_MISSING',
      message: `the ranges of "${host.name}" in /etc/subuid do not exist in this user namespace`,
      why: 'rootless runs inside another container, whose own map (/proc/self/uid_map) does not reach them',
    };
  }
  return {
    code: 'SUBID_MISSING',
    message: `no range for "${host.name}" in ${file}`,
    why: 'newuidmap maps only ranges listed there',
    fix: `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${host.name}`,
  };
}

function missingMapper(name: string): Obstacle {
  return {
    code: 'NEWUIDMAP_MISSING',
    message: `${name} is not installed`,
    why: 'only this set-uid program may map subordinate ids for a user',
    fix: 'sudo apt-get install uidmap (Debian, Ubuntu), or the package shadow-utils or shadow elsewhere',
  };
}

/** Words for a mapper that runs without privilege; also used once the helper has reported that it failed. */
export function powerlessMapper(path: string, fault: 'nosuid' | 'no-privilege'): Obstacle {
  const message = `"${path}" has no privilege to map ids`;
  return fault === 'nosuid'
    ? { code: 'NEWUIDMAP_NOT_SETUID', message, why: 'it is on a filesystem mounted with nosuid' }
    : {
        code: 'NEWUIDMAP_NOT_SETUID',
        message,
        why: 'it has neither the set-uid bit nor a file capability',
        fix: `sudo chmod u+s ${path}`,
      };
}

function barredMappers(by: 'no-new-privs' | 'bounding-set'): Obstacle {
  const why =
    by === 'no-new-privs'
      ? 'this process runs with no_new_privs, so set-uid programs give nothing'
      : 'CAP_SETUID or CAP_SETGID is missing from the bounding set of this process';
  return { code: 'NEWUIDMAP_NOT_SETUID', message: 'newuidmap can have no effect here', why };
}
