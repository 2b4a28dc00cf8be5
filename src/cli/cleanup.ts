/** `rootless container cleanup`: tidies what containers that have ended left behind. */

import { findPaths } from '../paths.ts';
import { cleanupContainer } from '../runtime/cleanup.ts';
import { removeContainer } from '../runtime/remove.ts';
import { isActive, type Listed } from '../runtime/state.ts';
import { command } from './command.ts';
import { chooseContainers, choosing, serve } from './containers.ts';

const ended = (container: Listed) => !isActive(container);

export default command({
  name: 'cleanup',
  flags: {
    all: { type: 'boolean', alias: 'a', description: 'all that do not run' },
    latest: choosing.latest,
    rm: { type: 'boolean', description: 'remove them then' },
  },
  words: { usage: 'CONTAINER [CONTAINER...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'container' },
  examples: ['rootless cleanup --all'],
  run: async ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    const targets = await chooseContainers(paths, { command: 'cleanup', args, all: flags.all ? ended : undefined, latest: flags.latest });
    return serve(targets, 1, debug, async (container) => {
      await cleanupContainer(paths, container);
      if (flags.rm) await removeContainer(paths, container, { force: false });
    });
  },
});
