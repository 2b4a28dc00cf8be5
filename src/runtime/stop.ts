/** Ends a container: politely first, then with SIGKILL. */

import type { Paths } from '../paths.ts';
import { withLock } from './lock.ts';
import { askMonitor } from './monitor-client.ts';
import { endWithoutMonitor, monitorEnded } from './monitor-end.ts';
import { nanoseconds, stopPlan } from './monitor-file.ts';
import { hangs } from './monitor-hangs.ts';
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
  const request = {
    op: 'stop' as const,
    ...(wish.signal === undefined ? {} : { signal: wish.signal }),
    ...(wish.timeout === undefined ? {} : { timeout: nanoseconds(wish.timeout) }),
    ...(wish.keep ? { keep: true as const } : {}),
  };
  const late = hangsAfter(found, wish);
  const answer = await askMonitor(paths, id, request, late).catch((error: unknown) => {
    if (!late?.aborted && !hangs(error)) throw error;
    return undefined;
  });
  if (found.life) await (answer === undefined ? force(found, found.life, wish) : monitorEnded(found.life.monitor, patience));
  return answer?.code ?? readContainer(paths, id)?.exit?.code;
}

/** The monitor runs and does not listen. */
function force(container: Listed, life: Life, wish: StopWish): Promise<void> {
  const plan = planOf(container);
  const timeout = container.options.restart.policy === 'no' ? (wish.timeout ?? plan.timeout / 1e9) : 0;
  return endWithoutMonitor(life, wish.signal ?? plan.signal, timeout < 0 ? Number.POSITIVE_INFINITY : timeout * 1000);
}

/** A monitor that has not answered long after it should have killed the program never will. */
function hangsAfter(container: Listed, wish: StopWish): AbortSignal | undefined {
  const seconds = wish.timeout ?? planOf(container).timeout / 1e9;
  const milliseconds = seconds * 1000 + patience;
  return seconds >= 0 && milliseconds < 2 ** 31 ? AbortSignal.timeout(milliseconds) : undefined;
}

function planOf({ options, base }: Listed): ReturnType<typeof stopPlan> {
  return stopPlan(options, { stopSignal: base.kind === 'layers' ? base.defaults.stopSignal : undefined });
}
