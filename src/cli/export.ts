/** `rootless export`: a container's filesystem as a tar. */

import { isatty } from 'node:tty';
import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { readyBundle } from '../runtime/bundle-ready.ts';
import { exportContainer } from '../runtime/export.ts';
import { findContainer } from '../runtime/state.ts';
import { command } from './command.ts';
import { Closed } from './output.ts';
import { toFile } from './output-file.ts';

export default command({
  name: 'export',
  flags: {
    output: { type: 'string', alias: 'o', valueHint: 'FILE', description: 'write here instead of standard output' },
  },
  words: { usage: 'CONTAINER', min: 1, max: 1, complete: 'container' },
  examples: ['rootless export -o web.tar web', 'rootless export web | tar tv'],
  run: async ({ flags, args, env }) => {
    const paths = findPaths(env);
    const container = findContainer(paths, args[0] ?? '');
    await readyBundle(paths, container, searchPath(env));
    const { output } = flags;
    if (output !== undefined && output !== '-') {
      await toFile(output, (file) => exportContainer(paths, container, file));
      return 0;
    }
    if (isatty(1)) {
      throw new RootlessError({
        code: 'SAVE_TARGET',
        exit: 1,
        message: 'refusing to save to a terminal: use the -o flag or redirect',
        fix: `rootless export -o ${container.name}.tar ${container.name}`,
      });
    }
    if (!(await exportContainer(paths, container, 1))) throw new Closed('EPIPE');
    return 0;
  },
});
