/** `rootless update`: changes limits and the restart policy of containers, also while they run. */

import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import type { ContainerOptions } from '../runtime/options.ts';
import { type Change, updateContainer } from '../runtime/update.ts';
import { command } from './command.ts';
import { chooseContainers, choosing, serve } from './containers.ts';
import { limitFlags } from './limit-flags.ts';
import { createFlags } from './run-flags.ts';
import { toLimits } from './values/limits.ts';

export default command({
  name: 'update',
  flags: { ...limitFlags, restart: createFlags.restart, latest: choosing.latest },
  words: { usage: 'CONTAINER [CONTAINER...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'container' },
  examples: ['rootless update --memory 512m --memory-swap 1g web', 'rootless update --restart unless-stopped web'],
  run: async ({ flags, args, given, debug, env }) => {
    const limited = Object.keys(limitFlags).some((name) => given.has(name));
    if (!limited && flags.restart === undefined) throw nothing();
    const paths = findPaths(env);
    const targets = await chooseContainers(paths, { command: 'update', args, latest: flags.latest });
    const change = (before: ContainerOptions): Change => ({
      ...(limited ? { limits: toLimits(flags, before.limits) } : {}),
      ...(flags.restart === undefined ? {} : { restart: flags.restart }),
    });
    return serve(targets, 1, debug, (container) => updateContainer(paths, container, change).then(() => undefined));
  },
});

function nothing(): RootlessError {
  return new RootlessError({
    code: 'ARGUMENTS_WRONG',
    message: 'you must provide one or more flags when using this command',
    fix: 'rootless update --memory 512m CONTAINER',
  });
}
