/** `rootless wait`: waits until containers have ended, and prints their exit codes. */

import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import type { Listed } from '../runtime/state.ts';
import { type Condition, conditions, waitForContainer } from '../runtime/wait.ts';
import { command } from './command.ts';
import { chooseContainers, choosing, filterFlag, serve } from './containers.ts';
import { interruptible } from './interrupt.ts';
import { BadValue } from './values/bad.ts';
import { duration } from './values/time.ts';

/** docker waits for all at once. */
const atOnce = Number.POSITIVE_INFINITY;

export default command({
  name: 'wait',
  flags: {
    condition: {
      type: 'string',
      valueHint: 'STATE',
      repeat: true,
      parse: parseCondition,
      choices: conditions,
      description: 'what to wait for (default not-running)',
    },
    interval: {
      type: 'string',
      alias: 'i',
      valueHint: 'TIME',
      parse: parseInterval,
      description: 'time between two looks at a condition (default 250ms)',
    },
    ignore: { type: 'boolean', description: 'one that is not there has ended with -1' },
    filter: filterFlag,
    ...choosing,
  },
  words: { usage: 'CONTAINER [CONTAINER...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'container' },
  examples: ['rootless wait web', 'rootless wait --condition healthy db'],
  run: ({ flags, args, debug, env }) =>
    interruptible(async (signal) => {
      const paths = findPaths(env);
      const { latest, filter, cidfile } = flags;
      const targets = await chooseContainers(paths, { command: 'wait', args, latest, filter, cidfile });
      const wanted = flags.condition.length > 0 ? flags.condition : (['not-running'] as const);
      const ended = async (container: Listed) => String(await waitForContainer(paths, container, wanted, flags.interval ?? 250, signal));
      return serve(flags.ignore ? targets.map((one) => (isMissing(one) ? gone : one)) : targets, atOnce, debug, ended);
    }),
});

/** What podman prints for one that nobody knows. */
const gone = { text: '-1' };

function isMissing(target: unknown): boolean {
  return target instanceof RootlessError && target.code === 'CONTAINER_NOT_FOUND';
}

function parseCondition(text: string): Condition {
  const known = conditions.find((one) => one === text);
  if (known) return known;
  throw new BadValue(`invalid condition: "${text}"`, { fix: `one of ${conditions.join(', ')}` });
}

/** podman's: a number alone is milliseconds. */
function parseInterval(text: string): number {
  const length = /^\d+$/.test(text) ? Number(text) : duration(text);
  if (length === undefined || length < 0) throw new BadValue(`invalid duration "${text}"`, { fix: 'a number and a unit: 250ms, 1s' });
  return Math.max(1, length);
}
