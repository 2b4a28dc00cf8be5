/** `rootless rm`: removes containers, all that can be. */

import { findPaths } from '../paths.ts';
import { removeContainer } from '../runtime/remove.ts';
import { command } from './command.ts';
import { chooseContainers, choosing, filterFlag, serve } from './containers.ts';
import { timeFlags } from './stop.ts';

const atOnce = 16;

export default command({
  name: 'rm',
  flags: {
    force: { type: 'boolean', alias: 'f', description: 'kill it first if it runs; none is no error' },
    ...timeFlags,
    volumes: { type: 'boolean', alias: 'v', description: 'its volumes without a name too' },
    depend: { type: 'boolean', description: 'containers that need it too (--requires)' },
    all: { type: 'boolean', alias: 'a', description: 'all that do not run; with --force all' },
    ignore: { type: 'boolean', alias: 'i', description: 'one that is not there is no error' },
    filter: { type: 'string', valueHint: 'KEY=VALUE', repeat: true, description: filterFlag.description },
    ...choosing,
  },
  words: { usage: 'CONTAINER [CONTAINER...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'container' },
  examples: ['rootless rm -f web', 'rootless rm $(rootless ps -aq)'],
  run: async ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    const { force, latest, filter, cidfile, depend, volumes } = flags;
    const all = flags.all ? () => true : undefined;
    const ignore = flags.ignore || force;
    const targets = await chooseContainers(paths, { command: 'rm', args, all, latest, ignore, filter, cidfile });
    const timeout = flags.timeout ?? flags.time;
    return serve(targets, atOnce, debug, async (container) => {
      await removeContainer(paths, container, { force: force || timeout !== undefined, timeout, depend, volumes });
    });
  },
});
