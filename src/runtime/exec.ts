/** One more program in a running container. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { Front } from '../front.ts';
import type { HelperFailure } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { capabilitySets, chooseCapabilities } from './capabilities.ts';
import { openSession, type SessionRequest } from './session.ts';
import { containerFolder, type Listed } from './state.ts';

export type ExecWish = {
  readonly command: readonly string[];
  readonly interactive: boolean;
  readonly tty: boolean;
  readonly detach: boolean;
  /** NAME=VALUE; the container's own come first. */
  readonly env: readonly string[];
  readonly workdir?: string | undefined;
  /** USER[:GROUP] of the container. */
  readonly user?: string | undefined;
  readonly privileged: boolean;
  readonly detachKeys?: string | undefined;
  readonly front?: Front | undefined;
};

/**
 * @returns the program's exit code; 0 when it goes on without the caller
 * @throws RootlessError CONTAINER_NOT_RUNNING, CONTAINER_PAUSED, CONTAINER_RESTARTING (exit 1, as docker), and what kept it from running
 */
export async function execIn(paths: Paths, container: Listed, wish: ExecWish): Promise<number> {
  const { id, status } = container;
  if (status !== 'running') throw refuse(container);
  const manner = { input: wish.interactive && !wish.detach, sigProxy: false, detachKeys: wish.detachKeys, front: wish.front };
  const { code, failure } = await openSession(
    paths,
    id,
    execRequest(wish, () => containerEnv(paths, id)),
    manner,
  );
  if (failure) throw await explained(failure, paths, container, wish);
  return code;
}

/** The monitor knows what is left out: the container's environment is read only to be added to. */
export function execRequest(wish: ExecWish, ownEnv: () => readonly string[]): SessionRequest {
  const env = wish.env.length > 0 || wish.tty ? mergeEnv(ownEnv(), wish) : undefined;
  return {
    op: 'exec',
    process: {
      terminal: wish.tty,
      args: wish.command,
      ...(env === undefined ? {} : { env }),
      ...(wish.workdir === undefined ? {} : { cwd: wish.workdir }),
      ...(wish.privileged ? { capabilities: capabilitySets(chooseCapabilities([], [], true)), noNewPrivileges: false } : {}),
    },
    ...(wish.user === undefined ? {} : { user: wish.user }),
    ...(wish.privileged ? { privileged: true } : {}),
    ...(wish.detach ? { detach: true } : {}),
  };
}

/** Later values replace earlier ones in place. */
function mergeEnv(own: readonly string[], { env, tty }: ExecWish): string[] {
  const merged = new Map<string, string>();
  for (const entry of [...(tty ? ['TERM=xterm'] : []), ...own, ...env]) merged.set(entry.split('=', 1)[0] ?? '', entry);
  return [...merged.values()];
}

function containerEnv(paths: Paths, id: string): readonly string[] {
  const config = JSON.parse(readFileSync(join(containerFolder(paths, id), 'config.json'), 'utf8')) as {
    readonly process?: { readonly env?: readonly string[] };
  };
  return config.process?.env ?? [];
}

function refuse({ name, status }: Listed): RootlessError {
  if (status === 'paused') {
    return new RootlessError({
      code: 'CONTAINER_PAUSED',
      message: `container "${name}" is paused: unpause it before exec`,
      fix: `rootless unpause ${name}`,
      exit: 1,
    });
  }
  if (status === 'restarting') {
    return new RootlessError({
      code: 'CONTAINER_RESTARTING',
      message: `container "${name}" is restarting: wait until it is running`,
      exit: 1,
    });
  }
  return new RootlessError({
    code: 'CONTAINER_NOT_RUNNING',
    message: `container "${name}" is not running`,
    fix: `rootless start ${name}`,
    exit: 1,
  });
}

async function explained(failure: HelperFailure, paths: Paths, container: Listed, wish: ExecWish): Promise<RootlessError> {
  // It ended between the look at it and the request.
  if (failure.step === 'session' && (failure.errno === 'ENOENT' || failure.errno === 'ECONNREFUSED')) {
    return refuse({ ...container, status: 'exited' });
  }
  if (failure.step === 'session' && failure.errno === 'ETIMEDOUT') {
    const { monitorHangs } = await import('./monitor-hangs.ts');
    return monitorHangs(container.id, Number(failure.target), true);
  }
  const { explainExecution } = await import('./explain-exec.ts');
  return explainExecution(failure, paths, container, wish.command[0] ?? '');
}
