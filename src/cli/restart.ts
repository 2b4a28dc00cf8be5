/** `rootless restart`: stops containers and starts them again. */

import { findPaths } from '../paths.ts';
import { restartContainer } from '../runtime/restart.ts';
import { signalNumber } from '../runtime/signals.ts';
import { isActive } from '../runtime/state.ts';
import { command } from './command.ts';
import { chooseContainers, choosing, filterFlag, serve } from './containers.ts';
import { startContext } from './start-context.ts';
import { timeFlags } from './stop.ts';
import { parseSignal } from './values/names.ts';

export default command({
  name: 'restart',
  flags: {
    ...timeFlags,
    signal: { type: 'string', alias: 's', valueHint: 'SIGNAL', parse: parseSignal, description: 'send this instead of its stop signal' },
    all: { type: 'boolean', alias: 'a', description: 'all, running or not' },
    running: { type: 'boolean', description: 'all that run' },
    filter: filterFlag,
    ...choosing,
  },
  words: { usage: 'CONTAINER [CONTAINER...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'container' },
  examples: ['rootless restart web', 'rootless restart -t 1 --running'],
  run: async ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    const { latest, filter, cidfile } = flags;
    const all = flags.running ? isActive : flags.all || filter.length > 0 ? () => true : undefined;
    const targets = await chooseContainers(paths, { command: 'restart', args, all, latest, filter, cidfile });
    const wish = {
      timeout: flags.timeout ?? flags.time,
      signal: flags.signal === undefined ? undefined : signalNumber(flags.signal),
    };
    const context = startContext(paths, env);
    return serve(targets, 1, debug, async (container) => void (await restartContainer(container, wish, context)));
  },
});
