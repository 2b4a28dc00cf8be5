/** Looks up what explain.ts needs to know about this host. Only read after a failure. */

import { readFileSync, statfsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Paths } from '../paths.ts';
import { type Host, readUsernsSwitches } from '../userns/host.ts';
import { diagnoseMapper } from '../userns/newuidmap.ts';
import { closedFolder } from './closed-folder.ts';
import type { ExplainFacts } from './explain.ts';
import type { OciConfig } from './oci.ts';

/** `launched`: the container that failed, if it was one. */
export function gatherFacts(paths: Paths, host: Host, launched?: { readonly image: string; readonly config: OciConfig }): ExplainFacts {
  return {
    image: launched?.image ?? '',
    command: launched?.config.process.args[0] ?? '',
    user: host.name,
    helper: paths.helper,
    data: paths.data,
    freeBytes: freeBytes(paths.data),
    mounts: launched?.config.mounts ?? [],
    closed: launched === undefined ? {} : closedSources(launched.image, launched.config),
    closedStore: launched === undefined ? undefined : closedStore(paths, launched.config),
    switches: readUsernsSwitches(),
    underSeccomp: /^Seccomp:\s*2/m.test(readFileSync('/proc/self/status', 'latin1')),
    mapperFaults: [host.mappers.uid, host.mappers.gid].flatMap((mapper) => {
      const fault = mapper && diagnoseMapper(mapper);
      return mapper && fault ? [{ path: mapper.path, fault }] : [];
    }),
  };
}

function closedSources(image: string, { mounts, linux }: OciConfig): Record<string, string> {
  const sources = mounts.flatMap(({ type, source }) => (type === 'bind' ? [source] : []));
  const root = image.startsWith('rootfs:') ? [image.slice('rootfs:'.length)] : [];
  const found = [...root, ...sources].flatMap((source) => {
    const closed = closedFolder(resolve(source), linux.uidMappings, linux.gidMappings);
    return closed === undefined ? [] : [[source, closed] as const];
  });
  return Object.fromEntries(found);
}

/** Who is not mapped at all does not walk there: the helper stands in the store then. */
function closedStore({ data }: Paths, { linux }: OciConfig): string | undefined {
  const mapped = linux.uidMappings.some(({ hostID, size }) => hostID <= getuid() && getuid() < hostID + size);
  const ownRoot = linux.uidMappings.some(({ containerID, hostID }) => containerID === 0 && hostID === getuid());
  return mapped && !ownRoot ? closedFolder(data, linux.uidMappings, linux.gidMappings) : undefined;
}

const getuid = (): number => process.getuid?.() ?? 0;

function freeBytes(folder: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
