/** `rootless rename`: gives a container another name. */

import { findPaths } from '../paths.ts';
import { renameContainer } from '../runtime/rename.ts';
import { findContainer } from '../runtime/state.ts';
import { command } from './command.ts';

export default command({
  name: 'rename',
  flags: {},
  words: { usage: 'CONTAINER NEW_NAME', min: 2, max: 2, complete: 'container' },
  examples: ['rootless rename swift_island web'],
  run: async ({ args: [container = '', name = ''], env }) => {
    const paths = findPaths(env);
    await renameContainer(paths, findContainer(paths, container), name);
    return 0;
  },
});
