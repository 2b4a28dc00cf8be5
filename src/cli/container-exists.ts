/** `rootless container exists`: says it by the exit code, 0 or 1. */

import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { findContainer } from '../runtime/state.ts';
import { command } from './command.ts';

export default command({
  name: 'container exists',
  flags: {},
  words: { usage: 'CONTAINER', min: 1, max: 1, complete: 'container' },
  examples: ['rootless container exists web || rootless run -d --name web nginx'],
  run: ({ args, env }) => {
    try {
      findContainer(findPaths(env), args[0] ?? '');
      return 0;
    } catch (error) {
      if (error instanceof RootlessError && error.code === 'CONTAINER_NOT_FOUND') return 1;
      throw error;
    }
  },
});
