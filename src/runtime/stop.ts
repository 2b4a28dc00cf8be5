/** Ends a container: politely first, then with SIGKILL. */

import type { Paths } from '../paths.ts';
import { withLock } from './lock.ts';
import { askMonitor } from './monitor-client.ts';
import { endWithoutMonitor, monitorEnded } from './monitor-end.ts';
import { nanoseconds, stopPlan } from './monitor-file.ts';
import { isDead } from './refusals.ts';
import { isActive, type Listed, readContainer } from './state.ts';
import type { Life } from './status.ts';

export type StopWish = {
  /** Instead of its stop signal. */
  readonly signal?: number | undefined;
  /** Seconds until SIGKILL instead of its own; less than 0 = for ever. */
  readonly timeout?: number | undefined;
  /** Not removed in spite of `--rm`. */
  readonly keep?: boolean | undefined;
};

/** Milliseconds for a monitor to tidy up after its container has ended. */
const patience = 10_000;

/** @returns its exit code; undefined when it did not run. @throws RootlessError CONTAINER_DEAD, MONITOR_REFUSED */
export async function stopContainer(
  paths: Paths,
  { id, name }: Pick<Listed, 'id' | 'name'>,
  wish: StopWish = {},
): Promise<number | undefined> {
  // A start that is under way comes to its end first.
  const found = await withLock(paths, id, () => readContainer(paths, id));
  if (found?.status === 'dead') throw isDead(name, 'stop');
  if (found === undefined || !isActive(found)) return undefined;
  const answer = await askMonitor(paths, id, {
    op: 'stop',
    ...(wish.signal === undefined ? {} : { signal: wish.signal }),
    ...(wish.timeout === undefined ? {} : { timeout: nanoseconds(wish.timeout) }),
    ...(wish.keep ? { keep: true as const } : {}),
  });
  if (found.life) await (answer === undefined ? force(found, found.life, wish) : monitorEnded(found.life.monitor, patience));
  return answer?.code ?? readContainer(paths, id)?.exit?.code;
}

/** The monitor runs and does not listen. */
function force({ options, base }: Listed, life: Life, wish: StopWish): Promise<void> {
  const plan = stopPlan(options, { stopSignal: base.kind === 'layers' ? base.defaults.stopSignal : undefined });
  const timeout = options.restart.policy === 'no' ? (wish.timeout ?? plan.timeout / 1e9) : 0;
  return endWithoutMonitor(life, wish.signal ?? plan.signal, timeout < 0 ? Number.POSITIVE_INFINITY : timeout * 1000);
}
