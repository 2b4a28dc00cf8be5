/** `rootless load`: puts the images of an archive or a folder into the store. */

import { isatty } from 'node:tty';
import { RootlessError } from '../errors.ts';
import { loadImages } from '../image/load.ts';
import { parsePlatform } from '../image/platform.ts';
import { findPaths } from '../paths.ts';
import { command } from './command.ts';
import { tellImage } from './image-events.ts';
import { imageProgress } from './image-progress.ts';
import { interruptible } from './interrupt.ts';
import { print } from './output.ts';

export default command({
  name: 'load',
  flags: {
    input: { type: 'string', alias: 'i', valueHint: 'FILE|DIR', description: 'read this instead of standard input' },
    quiet: { type: 'boolean', alias: 'q', description: 'show no progress' },
    platform: { type: 'string', valueHint: 'PLATFORM', parse: parsePlatform, description: 'only OS/ARCH[/VARIANT] of several' },
  },
  words: { usage: '', min: 0, max: 0, complete: 'file' },
  examples: ['rootless load -i image.tar', 'docker save app | rootless load', 'zstd -dc app.tar.zst | rootless load'],
  run: async ({ flags, env }) => {
    if (flags.input === undefined && isatty(0)) throw fromTerminal();
    const { tell, close } = imageProgress(flags.quiet);
    try {
      const paths = findPaths(env);
      const loaded = await interruptible((signal) => loadImages(paths, flags.input, { platform: flags.platform, progress: tell, signal }));
      close();
      for (const { id, name } of loaded) tellImage(paths, 'load', id, name);
      print(loaded.map(({ name, id }) => `${name === undefined ? `Loaded image ID: ${id}` : `Loaded image: ${name}`}\n`).join(''));
      return 0;
    } finally {
      close();
    }
  },
});

function fromTerminal(): RootlessError {
  return new RootlessError({
    code: 'INPUT_IS_TERMINAL',
    message: 'requested load from stdin, but stdin is empty',
    why: 'standard input is a terminal',
    fix: 'rootless load -i FILE, or rootless load < FILE',
    exit: 1,
  });
}
