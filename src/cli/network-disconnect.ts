/** `rootless network disconnect`: takes a container off a network. */

import { findPaths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { disconnect } from '../runtime/network-connect.ts';
import { findOwn } from '../runtime/network-store.ts';
import { findContainer } from '../runtime/state.ts';
import { command } from './command.ts';

export default command({
  name: 'network disconnect',
  flags: { force: { type: 'boolean', alias: 'f', description: 'also one that is not on it, or does not answer' } },
  words: { usage: 'NETWORK CONTAINER', min: 2, max: 2, complete: 'network' },
  examples: ['rootless network disconnect front web'],
  run: async ({ flags, args: [network = '', container = ''], env }) => {
    const paths = findPaths(env);
    const tools = { searchPath: searchPath(env) };
    await disconnect(paths, findOwn(paths, network), findContainer(paths, container), flags.force, tools);
    return 0;
  },
});
