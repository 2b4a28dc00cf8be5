/** apt in a container with one id: it checks that it really became its download user, which no emulation of one call can show it. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Layers } from './root.ts';

const folder = 'etc/apt/apt.conf.d';

/** Where the setting goes, and the setting: download as root, whose id is the caller's anyway. */
export const aptTarget = `/${folder}/zz-rootless`;
export const aptSetting = 'APT::Sandbox::User "root";\n';

/** True if one of the layers brings apt. */
export function hasApt({ base, lower }: Layers): boolean {
  return lower.some((layer) => existsSync(join(base, layer, folder)) || existsSync(join(layer, folder)));
}
