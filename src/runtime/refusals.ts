/** What a container's state forbids, in one place: the same words and docker's exit code 1 whatever command was asked. */

import { RootlessError } from '../errors.ts';
import type { Status } from './state.ts';

/** docker's exit code of a command that its daemon refused. */
const exit = 1;

export function noSuchContainer(wanted: string): RootlessError {
  return new RootlessError({ code: 'CONTAINER_NOT_FOUND', message: `no such container: "${wanted}"`, fix: 'rootless ps -a', exit });
}

export function noContainers(): RootlessError {
  return new RootlessError({ code: 'CONTAINER_NOT_FOUND', message: 'no such container: there are none yet', exit });
}

export function ambiguous(wanted: string, count: number): RootlessError {
  return new RootlessError({ code: 'CONTAINER_AMBIGUOUS', message: `"${wanted}" begins the ids of ${count} containers`, exit });
}

/** `what`: the verb, as in "cannot kill". */
export function notRunning(name: string, what: string): RootlessError {
  return new RootlessError({
    code: 'CONTAINER_NOT_RUNNING',
    message: `cannot ${what} container "${name}": container is not running`,
    fix: `rootless start ${name}`,
    exit,
  });
}

export function stillRuns(name: string, what: string, status: Status): RootlessError {
  const paused = status === 'paused';
  const force = what === 'remove' ? `, or rootless rm -f ${name}` : '';
  return new RootlessError({
    code: paused ? 'CONTAINER_PAUSED' : 'CONTAINER_RUNNING',
    message: `cannot ${what} container "${name}": container is ${status === 'restarting' || paused ? status : 'running'}`,
    fix: paused ? `rootless unpause ${name}${force}` : `rootless stop ${name}${force}`,
    exit,
  });
}

export function isPaused(name: string, what: string): RootlessError {
  return new RootlessError({
    code: 'CONTAINER_PAUSED',
    message: `cannot ${what} container "${name}": container is ${what === 'pause' ? 'already ' : ''}paused`,
    fix: `rootless unpause ${name}`,
    exit,
  });
}

export function notPaused(name: string): RootlessError {
  return new RootlessError({ code: 'CONTAINER_NOT_PAUSED', message: `cannot unpause container "${name}": container is not paused`, exit });
}

export function isDead(name: string, what: string): RootlessError {
  return new RootlessError({
    code: 'CONTAINER_DEAD',
    message: `cannot ${what} container "${name}": container is dead`,
    why: 'its container.json is missing or damaged',
    fix: `rootless rm -f ${name}`,
    exit,
  });
}

export function isNeeded(name: string, by: string): RootlessError {
  return new RootlessError({
    code: 'CONTAINER_NEEDED',
    message: `cannot remove container "${name}": other containers need it`,
    why: `"${by}" was made with --requires ${name}`,
    fix: `rootless rm --depend ${name} removes both`,
    exit,
  });
}
