/** `rootless kill`: a signal to the programs of containers. */

import { findPaths } from '../paths.ts';
import { killContainer } from '../runtime/kill.ts';
import { signalNumber } from '../runtime/signals.ts';
import { isActive } from '../runtime/state.ts';
import { command } from './command.ts';
import { chooseContainers, choosing, serve } from './containers.ts';
import { parseSignal } from './values/names.ts';

const atOnce = 64;

export default command({
  name: 'kill',
  flags: {
    signal: {
      type: 'string',
      alias: 's',
      valueHint: 'SIGNAL',
      parse: parseSignal,
      choices: ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGKILL', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'],
      description: 'signal to send (default SIGKILL)',
    },
    all: { type: 'boolean', alias: 'a', description: 'all that run' },
    ...choosing,
  },
  words: { usage: 'CONTAINER [CONTAINER...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'container' },
  examples: ['rootless kill web', 'rootless kill -s HUP web'],
  run: async ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    const { latest, cidfile } = flags;
    const targets = await chooseContainers(paths, { command: 'kill', args, all: flags.all ? isActive : undefined, latest, cidfile });
    const signal = signalNumber(flags.signal ?? 'KILL') ?? 9;
    return serve(targets, atOnce, debug, (container) => killContainer(paths, container, signal).then(() => undefined));
  },
});
