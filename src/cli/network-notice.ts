/** What `network connect` and `disconnect` cannot change of a container that runs. */

import type { WayOut } from '../runtime/network-connect.ts';
import { notice } from './notice.ts';

export function tellWayOut(wayOut: WayOut, container: string): void {
  if (wayOut === 'missing') notice(`"${container}" has no way out before it is started again: it was started on internal networks alone`);
  if (wayOut === 'stays') notice(`"${container}" keeps its way out until it ends: stop and start it to close it`);
}
