/** `rootless image unmount`: takes away what `image mount` shows. */

import { RootlessError } from '../errors.ts';
import { findStored } from '../image/find.ts';
import { listImages } from '../image/store.ts';
import { findPaths } from '../paths.ts';
import { mountedImages, ownMapping, unmountImage } from '../runtime/image-mount.ts';
import { command } from './command.ts';
import { print } from './output.ts';
import { report } from './ui.ts';

export default command({
  name: 'image unmount',
  flags: {
    all: { type: 'boolean', alias: 'a', description: 'all that are mounted' },
    force: { type: 'boolean', alias: 'f', description: 'also while files are open: always so' },
  },
  words: { usage: 'IMAGE [IMAGE...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'image' },
  examples: ['rootless image unmount debian', 'rootless image unmount -a'],
  run: async ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    ownMapping();
    const [images, mounted] = [listImages(paths), mountedImages(paths)];
    if (args.length === 0 && !flags.all) {
      throw new RootlessError({ code: 'ARGUMENTS_WRONG', message: '"rootless image unmount" needs an image, or --all' });
    }
    let code = 0;
    for (const name of flags.all ? mounted.map(({ id }) => id) : args) {
      try {
        const id = findStored(images, name)?.id ?? name;
        const found = mounted.find((one) => one.id === id);
        if (found === undefined) {
          throw new RootlessError({
            code: 'IMAGE_NOT_FOUND',
            message: `image "${name}" is not mounted`,
            fix: 'rootless image mount',
            exit: 1,
          });
        }
        await unmountImage(paths, found);
        print(`${id}\n`);
      } catch (error) {
        code = report(error, debug);
      }
    }
    return code;
  },
});
