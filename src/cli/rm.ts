/** `rootless rm`: removes containers, all that can be. */

import { findPaths } from '../paths.ts';
import { removeContainer } from '../runtime/remove.ts';
import { findContainer } from '../runtime/state.ts';
import { RootlessError } from '../errors.ts';
import { command } from './command.ts';
import { print } from './output.ts';
import { report } from './ui.ts';

export default command({
  name: 'rm',
  flags: {
    force: { type: 'boolean', alias: 'f', description: 'kill it first if it runs; none is no error' },
    volumes: { type: 'boolean', alias: 'v', hidden: true, description: 'volumes without a name always go with the container' },
  },
  words: { usage: 'CONTAINER [CONTAINER...]', min: 1, max: Number.POSITIVE_INFINITY, complete: 'container' },
  examples: ['rootless rm -f web', 'rootless rm $(rootless ps -aq)'],
  run: async ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    let code = 0;
    for (const name of args) {
      try {
        await removeContainer(paths, findContainer(paths, name), flags.force);
        print(`${name}\n`);
      } catch (error) {
        if (flags.force && error instanceof RootlessError && error.code === 'CONTAINER_NOT_FOUND') continue;
        code = report(error, debug);
      }
    }
    return code;
  },
});
