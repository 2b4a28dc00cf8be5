/** `rootless stop`: ends containers, politely first. */

import { findPaths } from '../paths.ts';
import { signalNumber } from '../runtime/signals.ts';
import { isActive } from '../runtime/state.ts';
import { stopContainer } from '../runtime/stop.ts';
import { command } from './command.ts';
import { chooseContainers, choosing, filterFlag, serve } from './containers.ts';
import { parseSignal } from './values/names.ts';
import { parseSeconds } from './values/numbers.ts';

/** Every one of them may take its whole time to end. */
const atOnce = 64;

/** Seconds, under its three names. */
export const timeFlags = {
  timeout: {
    type: 'string',
    alias: 't',
    valueHint: 'SECONDS',
    parse: parseSeconds,
    description: 'wait so long before SIGKILL (default: as it was made, or 10); -1 is for ever',
  },
  time: { type: 'string', valueHint: 'SECONDS', parse: parseSeconds, hidden: true, description: 'older name of --timeout' },
} as const;

export default command({
  name: 'stop',
  flags: {
    ...timeFlags,
    signal: { type: 'string', alias: 's', valueHint: 'SIGNAL', parse: parseSignal, description: 'send this instead of its stop signal' },
    all: { type: 'boolean', alias: 'a', description: 'all that run' },
    ignore: { type: 'boolean', alias: 'i', description: 'one that is not there is no error' },
    filter: filterFlag,
    ...choosing,
  },
  words: { usage: 'CONTAINER [CONTAINER...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'container' },
  examples: ['rootless stop web', 'rootless stop -t 1 $(rootless ps -q)'],
  run: async ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    const { latest, ignore, filter, cidfile } = flags;
    const all = flags.all || filter.length > 0 ? isActive : undefined;
    const targets = await chooseContainers(paths, { command: 'stop', args, all, latest, ignore, filter, cidfile });
    const wish = {
      timeout: flags.timeout ?? flags.time,
      signal: flags.signal === undefined ? undefined : signalNumber(flags.signal),
    };
    return serve(targets, atOnce, debug, async (container) => void (await stopContainer(paths, container, wish)));
  },
});
