/** `rootless save`: writes images of the store to an archive or a folder. */

import { isatty } from 'node:tty';
import { RootlessError } from '../errors.ts';
import { parsePlatform } from '../image/platform.ts';
import { type SaveFormat, saveFormats, saveImages } from '../image/save.ts';
import { findPaths } from '../paths.ts';
import { command } from './command.ts';
import { tellImage } from './image-events.ts';
import { imageProgress } from './image-progress.ts';
import { interruptible } from './interrupt.ts';
import { Closed } from './output.ts';
import { BadValue } from './values/bad.ts';

export default command({
  name: 'save',
  flags: {
    output: { type: 'string', alias: 'o', valueHint: 'FILE|DIR', description: 'write here instead of standard output' },
    format: {
      type: 'string',
      valueHint: 'FORMAT',
      parse: parseSaveFormat,
      choices: saveFormats,
      description: `${saveFormats.join(', ')}; the first is the default`,
    },
    platform: { type: 'string', valueHint: 'PLATFORM', parse: parsePlatform, description: 'OS/ARCH[/VARIANT] of several under one name' },
    quiet: { type: 'boolean', alias: 'q', description: 'show no progress' },
  },
  words: { usage: 'IMAGE [IMAGE...]', min: 1, max: Number.POSITIVE_INFINITY, complete: 'image' },
  examples: ['rootless save -o app.tar app:1.0', 'rootless save app | zstd > app.tar.zst', 'rootless save --format oci-dir -o layout app'],
  run: async ({ flags, args, env }) => {
    const format = flags.format ?? 'docker-archive';
    if (flags.output === undefined) refuseStdout(format);
    const { tell, close } = imageProgress(flags.quiet || flags.output === undefined);
    try {
      const output = flags.output === undefined || flags.output === '-' ? 1 : flags.output;
      const paths = findPaths(env);
      const saved = await interruptible((signal) =>
        saveImages(paths, args, output, { format, platform: flags.platform, progress: tell, signal }),
      );
      for (const { id, names } of saved) tellImage(paths, 'save', id, names[0]);
      return 0;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') throw new Closed('EPIPE');
      throw error;
    } finally {
      close();
    }
  },
});

function parseSaveFormat(text: string): SaveFormat {
  const found = saveFormats.find((format) => format === text);
  if (found !== undefined) return found;
  throw new BadValue(`unknown format "${text}"`, { fix: `formats are ${saveFormats.join(', ')}` });
}

function refuseStdout(format: SaveFormat): void {
  const why = format.endsWith('-dir') ? `${format} is a folder` : isatty(1) ? 'standard output is a terminal' : undefined;
  if (why === undefined) return;
  throw new RootlessError({
    code: 'SAVE_TARGET',
    message: isatty(1) ? 'refusing to save to a terminal: use the -o flag or redirect' : 'the -o flag is required',
    why,
    fix: `rootless save -o ${format.endsWith('-dir') ? 'DIR' : 'FILE'} IMAGE`,
    exit: 1,
  });
}
