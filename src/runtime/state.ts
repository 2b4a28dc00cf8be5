/** Containers on disk, $DATA/containers/ID/: what was asked for (container.json) and what became of it (status.json). */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IdMap } from '../helper.ts';
import { makeFolders, type Paths } from '../paths.ts';
import type { Maker } from './alive.ts';
import type { Base } from './base.ts';
import type { CommandLine } from './context.ts';
import { markOf, marks } from './marks.ts';
import { idOfName } from './names.ts';
import type { ContainerOptions, PortRequest } from './options.ts';
import { ambiguous, noContainers, noSuchContainer } from './refusals.ts';
import { keep, replace } from './replace.ts';
import { type Life, readLife } from './status.ts';
import { wreckOf } from './wreck.ts';

/** container.json: written when a container is created, and again when it is started, renamed or updated. */
export type Container = {
  readonly id: string;
  readonly name: string;
  /** As typed. */
  readonly image: string;
  /** Digest of the image's configuration; undefined for `host:` and `rootfs:`. */
  readonly imageId: string | undefined;
  readonly base: Base;
  readonly command: readonly string[];
  /** RFC 3339. */
  readonly created: string;
  readonly maker: Maker;
  /** Of its files: stays for the container's life. */
  readonly idMap: IdMap;
  readonly mode: 'ranges' | 'direct' | 'single';
  /** Host ids are a slot of the ranges that no other container may get (`--userns auto`). */
  readonly slot: boolean;
  readonly remove: boolean;
  readonly network: string;
  readonly ports: readonly PortRequest[];
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined for one that was not asked for on a command line. */
  readonly line?: CommandLine | undefined;
  /** All that was asked for: what `start` makes the launch from. */
  readonly options: ContainerOptions;
};

/** failure.json: why the last start did not come to a running program. */
export type StartFailure = {
  readonly code: number;
  readonly error: string;
  readonly finished: string;
  /** An earlier start was better. */
  readonly ran?: boolean;
};

/** How it ended last. */
export type Exit = { readonly code: number; readonly finished: string; readonly oom?: boolean; readonly error?: string };

/** docker's. `dead`: nothing describes it any more, it can only be removed. */
export type Status = 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'dead';

export type Listed = Container & {
  readonly status: Status;
  /** undefined while it runs and before its first start. */
  readonly exit: Exit | undefined;
  /** What the monitor wrote; undefined before the first start. Its pid counts only while the status is running or paused. */
  readonly life: Life | undefined;
};

export const containerFolder = (paths: Paths, id: string): string => join(paths.data, 'containers', id);

export function makeFolder(paths: Paths, id: string): string {
  const folder = containerFolder(paths, id);
  makeFolders(folder, 0o711);
  return folder;
}

export function writeContainer(paths: Paths, container: Container): void {
  replace(join(containerFolder(paths, container.id), 'container.json'), JSON.stringify(container));
}

/** Its description is still there after a power cut. */
export function keepContainer(paths: Paths, id: string): Promise<void> {
  return keep(join(containerFolder(paths, id), 'container.json'));
}

/** Writes down a container that was read, without what was read of its life. */
export function describe(paths: Paths, listed: Listed): void {
  const { status: _, exit: __, life: ___, ...container } = listed;
  writeContainer(paths, container);
}

/** @returns undefined when there is no such folder, or it is only just being made or removed */
export function readContainer(paths: Paths, id: string): Listed | undefined {
  const folder = containerFolder(paths, id);
  const container = readJson<Container>(join(folder, 'container.json'));
  if (container === 'missing' && markOf(paths, id) !== 'none') return undefined;
  if (container === 'missing' || container === 'damaged' || !isWhole(container, id)) return wreckOf(paths, id);
  const life = readLife(folder);
  const failure = readJson<StartFailure>(join(folder, 'failure.json'));
  return { ...container, life, ...statusOf(life, typeof failure === 'string' ? undefined : failure) };
}

/** All containers, newest first. */
export function listContainers(paths: Paths): Listed[] {
  return idsOf(paths)
    .flatMap((id) => readContainer(paths, id) ?? [])
    .sort(byAge);
}

function byAge(a: Listed, b: Listed): number {
  return a.created < b.created ? 1 : a.created > b.created ? -1 : 0;
}

/** Those that run or will again, newest first; of the others nothing but their status is read. */
export function listActive(paths: Paths): Listed[] {
  return idsOf(paths)
    .filter((id) => {
      const life = readLife(containerFolder(paths, id));
      return life !== undefined && life.status !== 'exited';
    })
    .flatMap((id) => readContainer(paths, id) ?? [])
    .filter(isActive)
    .sort(byAge);
}

/** By name, id or unique beginning of an id. @throws RootlessError CONTAINER_NOT_FOUND, CONTAINER_AMBIGUOUS */
export function findContainer(paths: Paths, wanted: string): Listed {
  const id = idOfName(paths, wanted) ?? idOfPrefix(paths, wanted) ?? idOfUnlinked(paths, wanted);
  const container = id === undefined ? undefined : (readContainer(paths, id) ?? wreckOf(paths, id));
  if (container) return container;
  throw noSuchContainer(wanted);
}

/** Somebody deleted the link of its name: it still says itself what it is called. */
function idOfUnlinked(paths: Paths, wanted: string): string | undefined {
  return wanted === '' ? undefined : listContainers(paths).find(({ name }) => name === wanted)?.id;
}

/** The one that was created last: `--latest`. @throws RootlessError CONTAINER_NOT_FOUND when there is none */
export function latestContainer(paths: Paths): Listed {
  const [newest] = listContainers(paths);
  if (newest) return newest;
  throw noContainers();
}

/** Its program exists: also while it is paused. */
export function isRunning({ status }: Pick<Listed, 'status'>): boolean {
  return status === 'running' || status === 'paused';
}

/** Something watches over it: it runs, or will again by its restart policy. */
export function isActive(container: Pick<Listed, 'status'>): boolean {
  return isRunning(container) || container.status === 'restarting';
}

function statusOf(life: Life | undefined, failure: StartFailure | undefined): Pick<Listed, 'status' | 'exit'> {
  if (life?.status === 'restarting') return { status: 'restarting', exit: exitOf(life) };
  if (life?.status === 'running') return { status: life.paused ? 'paused' : 'running', exit: undefined };
  const exit = (failure && exitOfFailure(failure)) ?? (life && exitOf(life));
  const ran = life?.started !== undefined || failure?.ran === true;
  return { status: ran ? 'exited' : 'created', exit };
}

function exitOfFailure({ code, error, finished }: StartFailure): Exit {
  return { code, error, finished };
}

function exitOf({ code = 0, finished, started = '', oom, error }: Life): Exit {
  return {
    code,
    finished: finished ?? started,
    ...(oom ? { oom } : {}),
    ...(error ? { error: [error.step, error.target, error.errno, error.message].filter(Boolean).join(' ') } : {}),
  };
}

function idOfPrefix(paths: Paths, wanted: string): string | undefined {
  const begins = (all: readonly string[]) => (wanted === '' ? [] : all.filter((id) => id.startsWith(wanted)));
  const known = begins(idsOf(paths));
  // One that runs without its folder has a mark.
  const ids = known.length > 0 ? known : begins(marks(paths));
  if (ids.length < 2) return ids[0];
  throw ambiguous(wanted, ids.length);
}

export function idsOf(paths: Paths): string[] {
  try {
    return readdirSync(join(paths.data, 'containers'));
  } catch {
    return [];
  }
}

function isWhole(container: Partial<Container>, id: string): container is Container {
  return container.id === id && typeof container.name === 'string' && container.options !== undefined && container.idMap !== undefined;
}

function readJson<T>(file: string): T | 'missing' | 'damaged' {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'missing' : 'damaged';
  }
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as T) : 'damaged';
  } catch {
    return 'damaged';
  }
}
