/** `rootless rmi`: removes names of images, and images that have no name left. */

import { findStored } from '../image/find.ts';
import { parsePlatform, type Platform } from '../image/platform.ts';
import { planRemoval, type Removal } from '../image/removal.ts';
import { listImages, readIndex } from '../image/store.ts';
import { changeIndex } from '../image/store-write.ts';
import { findPaths, type Paths } from '../paths.ts';
import { RootlessError } from '../errors.ts';
import { command } from './command.ts';
import { tellingNames } from './image-events.ts';
import { collectUnused, imageUses } from './image-uses.ts';
import { print } from './output.ts';
import { report } from './ui.ts';

export default command({
  name: 'rmi',
  flags: {
    force: { type: 'boolean', alias: 'f', description: 'also what stopped containers use, and an image with several names' },
    all: { type: 'boolean', alias: 'a', description: 'every image' },
    platform: {
      type: 'string',
      valueHint: 'PLATFORM',
      repeat: true,
      parse: parsePlatform,
      description: 'only OS/ARCH[/VARIANT] of a name for several',
    },
    'no-prune': { type: 'boolean', hidden: true, description: 'an image here has no parents' },
  },
  words: { usage: 'IMAGE [IMAGE...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'image' },
  examples: ['rootless rmi alpine:3.19', 'rootless rmi $(rootless images -q --filter dangling=true)'],
  run: async ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    if (args.length === 0 && !flags.all) throw nothingNamed();
    const wanted = flags.all ? [...new Set(readIndex(paths).images.map(({ id }) => id))] : args;
    let [code, deleted] = [0, 0];
    for (const name of wanted) {
      try {
        const removal = await tellingNames(paths, () =>
          remove(paths, name, flags.force || (flags.all && !isUsed(paths, name)), flags.platform),
        );
        print(removalLines(removal));
        deleted += removal.deleted.length;
      } catch (error) {
        // With --force what is not there is what was asked for.
        if (flags.force && error instanceof RootlessError && error.code === 'IMAGE_NOT_FOUND') continue;
        code = report(error, debug);
      }
    }
    // A name alone frees nothing.
    if (deleted > 0) await collectUnused(paths, env);
    return code;
  },
});

/** docker's lines. */
export function removalLines({ untagged, deleted }: Pick<Removal, 'untagged' | 'deleted'>): string {
  return [...untagged.map((name) => `Untagged: ${name}\n`), ...deleted.map((id) => `Deleted: ${id}\n`)].join('');
}

/** Containers are looked at under the lock of the names: one that starts now either has the image or is seen. */
function remove(paths: Paths, wanted: string, force: boolean, platforms: readonly Platform[]): Promise<Removal> {
  return changeIndex(paths, ({ images, lists }) => {
    if (findStored(images, wanted) === undefined && findStored(listImages(paths), wanted) !== undefined) throw readOnly(paths, wanted);
    const removal = planRemoval(images, wanted, { force, uses: imageUses(paths), platforms });
    return [{ images: removal.images, lists }, removal];
  });
}

/** --all removes an image with all its names, but is no --force. */
function isUsed(paths: Paths, id: string): boolean {
  return imageUses(paths).some(({ imageId }) => imageId === id);
}

function readOnly({ additional }: Paths, wanted: string): RootlessError {
  return new RootlessError({
    code: 'IMAGE_READ_ONLY',
    message: `cannot remove image "${wanted}": it is in a store that is only read`,
    why: `ROOTLESS_ADDITIONAL_STORES names ${additional.join(', ')}`,
    exit: 1,
  });
}

function nothingNamed(): RootlessError {
  return new RootlessError({
    code: 'ARGUMENTS_WRONG',
    message: '"rootless rmi" requires at least 1 argument',
    fix: 'rootless rmi IMAGE [IMAGE...], or rootless rmi --all',
  });
}
