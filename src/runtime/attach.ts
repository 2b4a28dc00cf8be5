/** This process's streams, joined to those of a running container's program. */

import { RootlessError } from '../errors.ts';
import type { Front } from '../front.ts';
import type { Paths } from '../paths.ts';
import { openSession } from './session.ts';
import type { Listed } from './state.ts';

export type AttachWish = {
  readonly input: boolean;
  readonly sigProxy: boolean;
  readonly detachKeys?: string | undefined;
  readonly front?: Front | undefined;
};

/**
 * @returns the program's exit code; 0 when it goes on without the caller
 * @throws RootlessError CONTAINER_NOT_RUNNING, CONTAINER_PAUSED, CONTAINER_RESTARTING (exit 1, as docker), SESSION_FAILED
 */
export async function attachTo(paths: Paths, container: Listed, wish: AttachWish): Promise<number> {
  if (container.status !== 'running') throw refuse(container);
  // docker's rule: a container that was made without -i reads nothing.
  const input = wish.input && container.options.interactive;
  const { code, failure } = await openSession(paths, container.id, { op: 'attach', stdin: input }, { ...wish, input });
  if (failure === undefined) return code;
  if (failure.errno === 'ENOENT' || failure.errno === 'ECONNREFUSED') throw refuse({ ...container, status: 'exited' });
  if (failure.errno === 'ETIMEDOUT') {
    const { monitorHangs } = await import('./monitor-hangs.ts');
    throw monitorHangs(container.id, Number(failure.target), true);
  }
  throw new RootlessError({
    code: 'SESSION_FAILED',
    message: `lost the connection to container "${container.name}": ${failure.message ?? failure.errno ?? failure.step}`,
    fix: `rootless ps -a --filter name=${container.name}`,
    cause: failure,
  });
}

function refuse({ name, status }: Listed): RootlessError {
  const facts = {
    paused: { code: 'CONTAINER_PAUSED', why: 'paused container: unpause it first', fix: `rootless unpause ${name}` },
    restarting: { code: 'CONTAINER_RESTARTING', why: 'restarting container: wait until it is running', fix: undefined },
  };
  const stopped = { code: 'CONTAINER_NOT_RUNNING', why: 'stopped container: start it first', fix: `rootless start -a ${name}` };
  const { code, why, fix } = status === 'paused' || status === 'restarting' ? facts[status] : stopped;
  return new RootlessError({ code, message: `cannot attach to "${name}": you cannot attach to a ${why}`, fix, exit: 1 });
}
