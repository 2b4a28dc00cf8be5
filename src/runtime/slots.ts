/** Host ids held by containers that run with `--userns auto`. */

import type { Paths } from '../paths.ts';
import type { SlotsInUse } from '../userns/choose.ts';
import { listContainers } from './state.ts';

export function slotsInUse(paths: Paths): SlotsInUse {
  const running = listContainers(paths).filter((container) => container.slot && container.status === 'running');
  const held = (kind: 'uid' | 'gid') => running.flatMap(({ idMap }) => idMap[kind].map(({ hostID, size }) => ({ start: hostID, size })));
  return { uid: held('uid'), gid: held('gid') };
}
