/** `rootless image mount`: the files of images on folders, in a shell of `rootless unshare`. */

import { requireStored } from '../image/find.ts';
import { listImages } from '../image/store.ts';
import { findPaths } from '../paths.ts';
import { mountedImages, mountImage, ownMapping } from '../runtime/image-mount.ts';
import { command } from './command.ts';
import { formatFlag, render } from './format.ts';
import { print } from './output.ts';
import { report } from './ui.ts';

export default command({
  name: 'image mount',
  flags: {
    all: { type: 'boolean', alias: 'a', description: 'all images' },
    format: { ...formatFlag, description: '"json", or a template: {{.ID}} {{.Path}}' },
  },
  words: { usage: '[IMAGE...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'image' },
  examples: ["rootless unshare sh -c 'ls $(rootless image mount debian)'", 'rootless image mount'],
  run: async ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    ownMapping();
    const images = listImages(paths);
    const wanted = flags.all ? [...new Set(images.map(({ id }) => id))] : args;
    if (wanted.length === 0) {
      const rows = mountedImages(paths).map(({ id, path }) => ({ ID: id, Path: path }));
      if (flags.format !== undefined) print(render(flags.format, rows, 'list'));
      else print(rows.map(({ ID, Path }) => `${ID} ${Path}\n`).join(''));
      return 0;
    }
    let code = 0;
    for (const name of wanted) {
      try {
        const image = requireStored(images, name);
        const path = await mountImage(paths, image, name);
        if (flags.format !== undefined) print(render(flags.format, [{ ID: image.id, Path: path }], 'list'));
        else print(wanted.length === 1 ? `${path}\n` : `${name} ${path}\n`);
      } catch (error) {
        code = report(error, debug);
      }
    }
    return code;
  },
});
