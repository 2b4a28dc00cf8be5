/** Starts a container that was created or has ended: its launch is made anew from what was asked for. */

import { existsSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { readHost } from '../userns/host.ts';
import { idsChanged, lostIds } from '../userns/lost.ts';
import { ourselves } from './alive.ts';
import { layersOf } from './base.ts';
import { checkCaller, type RunContext } from './context.ts';
import { asideFolder, removeTree } from './folders.ts';
import { launch, type Outcome, type Starting, startEarly } from './launch.ts';
import type { Ties } from './run-arguments.ts';
import { clearLeftovers } from './leftovers.ts';
import { lockContainer } from './lock.ts';
import { keptIds } from './mapping.ts';
import { clearMark, leaveMark } from './marks.ts';
import { earlyNetwork, mayBeginEarly } from './network-holder.ts';
import type { Mapping } from './options.ts';
import { prepareLaunch } from './prepare.ts';
import { isDead, isPaused, noSuchContainer } from './refusals.ts';
import { replace } from './replace.ts';
import { type Container, containerFolder, describe, isActive, type Listed, readContainer, type StartFailure } from './state.ts';
import { tracesOf, watchOver } from './traces.ts';

export type StartWish = {
  /** The caller's streams are the program's. */
  readonly attach: boolean;
  readonly input: boolean;
};

/**
 * @returns undefined when it runs already; with `attach` how it ended
 * @throws RootlessError whatever kept its program from running, CONTAINER_PAUSED, CONTAINER_DEAD, CONTAINER_BUSY
 */
export async function startContainer(id: string, wish: StartWish, context: RunContext): Promise<Outcome | undefined> {
  const { paths, signal } = context;
  await startRequired(readContainer(paths, id)?.options.requires ?? [], context);
  const release = await lockContainer(paths, id, signal);
  try {
    const found = readContainer(paths, id);
    refuse(found, id);
    if (isActive(found)) return undefined;
    await clearLeftovers(paths, found);
    leaveMark(paths, id, ourselves());
    return await started(found, wish, context, release);
  } finally {
    release();
  }
}

async function started(found: Listed, wish: StartWish, context: RunContext, release: () => void): Promise<Outcome> {
  const { paths } = context;
  const { id } = found;
  let starting: Starting | undefined;
  try {
    const outcome = await launched(found, wish, context, release, (early) => {
      starting = early;
    });
    rmSync(failureFile(paths, id), { force: true });
    if (!outcome.detached || !watchOver(paths, id)) clearMark(paths, id);
    return outcome;
  } catch (error) {
    starting?.cancel();
    noteFailure(context, found, error);
    clearMark(paths, id);
    throw error;
  }
}

async function launched(
  found: Listed,
  wish: StartWish,
  context: RunContext,
  release: () => void,
  early: (starting: Starting) => void,
): Promise<Outcome> {
  const { paths } = context;
  const { id, name, options, base, labels, life } = found;
  const host = readHost(context.searchPath);
  const mapping = keptIds(found, host);
  const lost = mapping.mode === 'ranges' ? lostIds(mapping.idMap, host) : undefined;
  if (lost) throw idsChanged(`container "${name}"`, lost, host);
  const ties: Ties = {
    detach: !wish.attach,
    input: wish.attach && wish.input,
    remove: found.remove,
    detachKeys: context.detachKeys,
    sigProxy: context.sigProxy,
    settled: release,
    front: wish.attach ? context.front : undefined,
  };
  const later = mapping.mode === 'single' || !mayBeginEarly(options);
  const starting = later ? undefined : startEarly(paths, id, ties, mapping.idMap, earlyNetwork(paths, options, host));
  if (starting) early(starting);
  const layers = await layersOf(base, options.image, mapping, { ...context, mapping });
  const folder = containerFolder(paths, id);
  const whole = life !== undefined || existsSync(join(folder, 'filled'));
  const filled = whole && base.kind !== 'host' && isFilled(join(folder, 'rootfs'));
  if (!filled) await emptyRoot(folder, found, context, mapping);
  const keepInput = options.interactive && !ties.input;
  const alone = ties.detach;
  const traces = tracesOf(paths, found);
  const serve = starting?.serve;
  const facts = { id, name, folder, options, base, mapping, layers, host, labels, filled, keepInput, alone, traces, serve };
  const { config, ports } = await prepareLaunch(facts, context);
  checkCaller(context);
  describe(paths, { ...found, idMap: mapping.idMap, ports });
  context.created?.(id);
  return launch(paths, { id, image: options.image, config, host }, ties, starting);
}

/** Those that it needs; one that is no more is named. */
export async function startRequired(ids: readonly string[], context: RunContext): Promise<void> {
  for (const required of ids) {
    await startContainer(required, { attach: false, input: false }, { ...context, created: undefined, front: undefined });
  }
}

function refuse(found: Listed | undefined, id: string): asserts found is Listed {
  if (found === undefined) throw noSuchContainer(id.slice(0, 12));
  if (found.status === 'dead') throw isDead(found.name, 'start');
  if (found.status === 'paused') throw isPaused(found.name, 'start');
}

/** With storage by copy the root filesystem is a folder full of files; otherwise it is empty but for the time of a mount. */
function isFilled(rootfs: string): boolean {
  try {
    return readdirSync(rootfs).length > 0;
  } catch {
    return lstatSync(rootfs, { throwIfNoEntry: false }) !== undefined;
  }
}

/**
 * What a launch that failed half-way had put there. The work folder too, where the overlay was `volatile`: the kernel leaves a mark in it
 * and refuses to mount it again, since a crash of the machine could have lost something.
 */
async function emptyRoot(folder: string, { id, base, remove }: Container, { paths }: RunContext, { idMap }: Mapping): Promise<void> {
  if (existsSync(join(folder, 'rootfs'))) await removeTree(paths, join(folder, 'rootfs'), idMap);
  if (remove) await removeTree(paths, join(folder, 'work'), idMap);
  if (base.kind !== 'host') return;
  for (const store of [join(folder, 'host'), asideFolder(paths, id)]) {
    for (const name of existsSync(store) ? readdirSync(store) : []) await removeTree(paths, join(store, name, 'work'), idMap);
  }
}

const failureFile = (paths: RunContext['paths'], id: string): string => join(containerFolder(paths, id), 'failure.json');

function noteFailure({ paths }: RunContext, { id, status }: Listed, error: unknown): void {
  const failure: StartFailure = {
    code: error instanceof RootlessError ? error.exit : 125,
    error: error instanceof Error ? error.message : String(error),
    finished: new Date().toISOString(),
    ran: status === 'exited',
  };
  try {
    replace(failureFile(paths, id), JSON.stringify(failure));
  } catch {
    // The folder is gone, or the disk is full: the caller is told in any case.
  }
}
