/** Stops a container and starts it again. */

import type { Outcome } from './launch.ts';
import type { RunContext } from './context.ts';
import { startContainer } from './start.ts';
import type { Listed } from './state.ts';
import { type StopWish, stopContainer } from './stop.ts';
import { tellContainer } from './events.ts';

/** One that does not run is started. @throws RootlessError what a stop or a start throws */
export async function restartContainer(container: Listed, wish: StopWish, context: RunContext): Promise<Outcome | undefined> {
  await stopContainer(context.paths, container, { ...wish, keep: true });
  const outcome = await startContainer(container.id, { attach: false, input: false }, context);
  tellContainer(context.paths, container, 'restart');
  return outcome;
}
