/** `rootless unpause`: lets paused containers go on. */

import { findPaths } from '../paths.ts';
import { unpauseContainer } from '../runtime/pause.ts';
import type { Listed } from '../runtime/state.ts';
import { command } from './command.ts';
import { chooseContainers, choosing, filterFlag, serve } from './containers.ts';

const atOnce = 64;
const meant = ({ status }: Listed) => status === 'paused';

export default command({
  name: 'unpause',
  flags: {
    all: { type: 'boolean', alias: 'a', description: 'all that are paused' },
    filter: filterFlag,
    ...choosing,
  },
  words: { usage: 'CONTAINER [CONTAINER...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'container' },
  examples: ['rootless unpause web'],
  run: async ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    const { latest, filter, cidfile } = flags;
    const all = flags.all || filter.length > 0 ? meant : undefined;
    const targets = await chooseContainers(paths, { command: 'unpause', args, all, latest, filter, cidfile });
    return serve(targets, atOnce, debug, (container) => unpauseContainer(paths, container).then(() => undefined));
  },
});
