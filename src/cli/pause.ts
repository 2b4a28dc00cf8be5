/** `rootless pause`: freezes all processes of containers. */

import { findPaths } from '../paths.ts';
import { pauseContainer } from '../runtime/pause.ts';
import type { Listed } from '../runtime/state.ts';
import { command } from './command.ts';
import { chooseContainers, choosing, filterFlag, serve } from './containers.ts';

const atOnce = 64;
const meant = ({ status }: Listed) => status === 'running';

export default command({
  name: 'pause',
  flags: {
    all: { type: 'boolean', alias: 'a', description: 'all that run' },
    filter: filterFlag,
    ...choosing,
  },
  words: { usage: 'CONTAINER [CONTAINER...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'container' },
  examples: ['rootless pause web'],
  run: async ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    const { latest, filter, cidfile } = flags;
    const all = flags.all || filter.length > 0 ? meant : undefined;
    const targets = await chooseContainers(paths, { command: 'pause', args, all, latest, filter, cidfile });
    return serve(targets, atOnce, debug, (container) => pauseContainer(paths, container).then(() => undefined));
  },
});
