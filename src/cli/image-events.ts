/** What commands do to images, in the journal that `events` reads: docker's words. */

import type { Paths } from '../paths.ts';
import { tellEvent } from '../runtime/events.ts';

/** @param ids  digests of configurations, or names where there is no id */
export function tellImages(
  paths: Paths,
  action: 'delete' | 'import' | 'load' | 'save' | 'tag' | 'untag',
  ids: readonly string[],
  name?: string,
): void {
  for (const id of ids) tellEvent(paths, { type: 'image', action, id, attributes: { name: name ?? id } });
}
