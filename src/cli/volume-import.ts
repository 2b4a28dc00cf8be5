/** `rootless volume import`: the files of a tar into a volume. */

import { closeSync, openSync } from 'node:fs';
import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { findVolume } from '../runtime/volume-store.ts';
import { importVolume } from '../runtime/volume-tar.ts';
import { command } from './command.ts';

export default command({
  name: 'volume import',
  flags: {},
  words: { usage: 'VOLUME [FILE|-]', min: 1, max: 2, complete: 'volume' },
  examples: ['rootless volume import data data.tar', 'tar -C ./seed -c . | rootless volume import data -'],
  run: async ({ args, env }) => {
    const paths = findPaths(env);
    const [name = '', source = '-'] = args;
    const volume = findVolume(paths, name);
    const input = source === '-' ? 0 : openInput(source);
    try {
      await importVolume(paths, volume, input);
    } finally {
      if (input !== 0) closeSync(input);
    }
    return 0;
  },
});

function openInput(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new RootlessError({ code: 'FILE_UNREADABLE', message: `cannot read "${path}": ${code}`, cause });
  }
}
