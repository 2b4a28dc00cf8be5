/** `rootless network exists`: 0 if there is such a network, 1 if not. */

import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { findNetwork } from '../runtime/network-store.ts';
import { command } from './command.ts';

export default command({
  name: 'network exists',
  flags: {},
  words: { usage: 'NETWORK', min: 1, max: 1, complete: 'network' },
  examples: ['rootless network exists front || rootless network create front'],
  run: ({ args, env }) => {
    try {
      findNetwork(findPaths(env), args[0] ?? '');
      return 0;
    } catch (error) {
      if (error instanceof RootlessError && error.code === 'NETWORK_NOT_FOUND') return 1;
      throw error;
    }
  },
});
