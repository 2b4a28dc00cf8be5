/** A container whose description is lost or damaged: what can still be said of it, so that it can be seen and removed. */

import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IdMap } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { namesOf } from './names.ts';
import type { OciConfig } from './oci.ts';
import { defaults } from './options.ts';
import type { Listed } from './state.ts';

/** @returns undefined when there is neither a folder nor state of a container that runs without one */
export function wreckOf(paths: Paths, id: string): Listed | undefined {
  const folder = join(paths.data, 'containers', id);
  const stat = lstatSync(folder, { throwIfNoEntry: false }) ?? lstatSync(join(paths.runtime, id), { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  const config = readConfig(join(folder, 'config.json'));
  return {
    id,
    name: namesOf(paths, id)[0] ?? id.slice(0, 12),
    image: '',
    imageId: undefined,
    base: { kind: 'rootfs', dir: join(folder, 'rootfs') },
    command: config?.process?.args ?? [],
    created: stat.ctime.toISOString(),
    maker: { pid: 0, startTime: '', bootId: '' },
    idMap: mapOf(config),
    mode: 'ranges',
    slot: false,
    remove: false,
    network: '',
    ports: [],
    labels: {},
    options: { ...defaults, image: '' },
    status: 'dead',
    exit: undefined,
    life: undefined,
  };
}

/** Of its files, as far as the bundle still says it; empty when it does not. */
function mapOf(config: Partial<OciConfig> | undefined): IdMap {
  const { uidMappings = [], gidMappings = [] } = config?.linux ?? {};
  const programs = config?.annotations ?? {};
  return {
    uid: uidMappings,
    gid: gidMappings,
    newuidmap: programs['io.rootless.newuidmap'],
    newgidmap: programs['io.rootless.newgidmap'],
  };
}

function readConfig(file: string): Partial<OciConfig> | undefined {
  try {
    const config: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof config === 'object' && config !== null ? config : undefined;
  } catch {
    return undefined;
  }
}
