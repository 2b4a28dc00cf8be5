/** `rootless volume export`: what is in a volume, as a tar. */

import { isatty } from 'node:tty';
import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { findVolume } from '../runtime/volume-store.ts';
import { exportVolume } from '../runtime/volume-tar.ts';
import { command } from './command.ts';
import { Closed } from './output.ts';
import { toFile } from './output-file.ts';

export default command({
  name: 'volume export',
  flags: { output: { type: 'string', alias: 'o', valueHint: 'FILE', description: 'write to FILE instead of standard output' } },
  words: { usage: 'VOLUME', min: 1, max: 1, complete: 'volume' },
  examples: ['rootless volume export data -o data.tar', 'rootless volume export data | ssh host rootless volume import data -'],
  run: async ({ flags, args, env }) => {
    const paths = findPaths(env);
    const volume = findVolume(paths, args[0] ?? '');
    const { output = '-' } = flags;
    if (output !== '-') await toFile(output, (file) => exportVolume(paths, volume, file));
    else if (isatty(1)) throw onTerminal(volume.name);
    else if (!(await exportVolume(paths, volume, 1))) throw new Closed('EPIPE');
    return 0;
  },
});

function onTerminal(name: string): RootlessError {
  return new RootlessError({
    code: 'SAVE_TARGET',
    message: 'refusing to save to a terminal: use the -o flag or redirect',
    fix: `rootless volume export ${name} -o ${name}.tar`,
  });
}
