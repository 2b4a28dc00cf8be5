/** `rootless image prune`: removes images without a tag, or all that no container was made from, and layers that nobody uses. */

import { planPrune } from '../image/prune.ts';
import type { Removal } from '../image/removal.ts';
import { changeIndex } from '../image/store-write.ts';
import { findPaths, type Paths } from '../paths.ts';
import { command } from './command.ts';
import { tellingNames } from './image-events.ts';
import { confirm } from './confirm.ts';
import { size } from './format.ts';
import { imageTest } from './image-filter.ts';
import { collectUnused, imageUses } from './image-uses.ts';
import { print } from './output.ts';
import { type Filter, filterParser } from './values/filter.ts';

export default command({
  name: 'image prune',
  flags: {
    all: { type: 'boolean', alias: 'a', description: 'all images that no container uses, not only those without a tag' },
    force: { type: 'boolean', alias: 'f', description: 'do not ask' },
    filter: {
      type: 'string',
      valueHint: 'KEY=VALUE',
      repeat: true,
      parse: filterParser(['label', 'label!', 'until']),
      description: 'only some: until=24h, label=KEY[=VALUE], label!=KEY',
    },
  },
  words: { usage: '', min: 0, max: 0 },
  examples: ['rootless image prune -f', "rootless image prune -a --filter 'until=240h'"],
  run: async ({ flags, env }) => {
    const paths = findPaths(env);
    const what = flags.all ? 'all images without at least one container associated to them' : 'all dangling images';
    if (!flags.force) confirm(`This will remove ${what}.`);
    const { untagged, deleted } = await tellingNames(paths, () => pruneImages(paths, flags.all, flags.filter));
    const freed = await collectUnused(paths, env);
    const lines = [...untagged.map((name) => `untagged: ${name}\n`), ...deleted.map((id) => `deleted: ${id}\n`)];
    if (lines.length > 0) print(`Deleted Images:\n${lines.join('')}\n`);
    print(`Total reclaimed space: ${size(freed)}\n`);
    return 0;
  },
});

/** Takes the images out of the index; their blobs and layers are there until they are collected. */
export function pruneImages(paths: Paths, all: boolean, filters: readonly Filter[]): Promise<Removal> {
  const fits = imageTest(paths, filters);
  return changeIndex(paths, ({ images, lists }) => {
    const removal = planPrune(images, imageUses(paths), all, fits);
    return [{ images: removal.images, lists }, removal];
  });
}
