/** Chooses where a container's cgroup will be: below our own where that may be divided, else in a scope of the user's systemd. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Limits, isLimited, neededControllers } from './limits.ts';
import { noManager, notDelegated, notSplit, notUnified } from './refusals.ts';
import { claim, controllersOf, isUnified, ownCgroup, readText } from './tree.ts';

export type PlaceRequest = {
  readonly limits: Limits;
  /** `disabled` has none; `split` is below our own or nowhere. */
  readonly mode: 'enabled' | 'disabled' | 'no-conmon' | 'split';
  /** A path, or the name of a slice. */
  readonly parent?: string | undefined;
  /** Without one it cannot run: limits, a parent, an init that divides its own. */
  readonly must: boolean;
  /** Processes of ours that are no reason to ask for another cgroup. */
  readonly known: readonly number[];
  /** The engine of the container that we are in; asked only when there is something to explain. */
  readonly around: () => string | undefined;
};

/** Where systemd's scopes of containers are. */
const usualSlice = 'user.slice';

/**
 * @returns `linux.cgroupsPath` by the container's id: a path below /sys/fs/cgroup, or `SLICE:PREFIX:NAME`. undefined: none can be had, and none
 * has to be
 * @throws RootlessError CGROUP_V2_MISSING, CGROUP_NOT_DELEGATED
 */
export function choosePlace(request: PlaceRequest, env: NodeJS.ProcessEnv, uid: number): ((id: string) => string) | undefined {
  const { limits, mode, parent, must, known } = request;
  if (mode === 'disabled') return undefined;
  const own = ownCgroup(readText('/proc/self/cgroup'));
  if (own === undefined || !isUnified(readText('/proc/self/mountinfo'))) {
    if (!must) return undefined;
    throw notUnified(isLimited(limits) ? undefined : 'give the container a cgroup of its own');
  }
  const needed = neededControllers(limits);
  const below = (subtree: string) => (id: string) => join(subtree, `rootless-${id}`);
  if (parent?.startsWith('/')) return below(parent);
  const slice = parent?.endsWith('.slice') ? parent : undefined;
  if (slice === undefined) {
    const subtree = claim(own, needed, 'alone', known);
    if (subtree !== undefined) return below(join(subtree, parent ?? ''));
    if (mode === 'split') throw notSplit(own);
  }
  if (hasManager(env, uid)) {
    const missing = missingControllers(needed, uid);
    if (missing.length > 0) throw notDelegated(missing, controllersOf('/'));
    return (id) => `${slice ?? usualSlice}:rootless:${id}`;
  }
  // In a container without systemd, say: the whole cgroup that we are in.
  const whole = must && slice === undefined ? claim(own, needed, 'all') : undefined;
  if (whole !== undefined) return below(join(whole, parent ?? ''));
  if (!must) return undefined;
  throw noManager(`there is no user session ("${busOf(uid)}" is missing)`, request.around());
}

/** The user's manager listens here, also when the session's variables are lost (su, cron, CI). */
const busOf = (uid: number): string => `/run/user/${uid}/bus`;

function hasManager(env: NodeJS.ProcessEnv, uid: number): boolean {
  // A bus alone is no systemd.
  if (env['DBUS_SESSION_BUS_ADDRESS'] && existsSync('/run/systemd/system')) return true;
  return existsSync(busOf(uid)) || existsSync(`/run/user/${uid}/systemd/private`);
}

/** What the user's manager was not given, if its cgroup is where systemd puts it; else the start will tell. */
function missingControllers(needed: readonly string[], uid: number): string[] {
  const given = controllersOf(`/user.slice/user-${uid}.slice/user@${uid}.service`);
  return given.length === 0 ? [] : needed.filter((controller) => !given.includes(controller));
}
