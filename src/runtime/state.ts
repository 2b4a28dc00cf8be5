/** Containers on disk: $DATA/containers/ID/, names as links in $DATA/names/, and a mark in $DATA/live/ while the maker runs. */

import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { IdMap } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { isAlive, type Maker } from './alive.ts';
import { checkName, inventName } from './ids.ts';
import type { PortRequest } from './options.ts';
import { replace } from './replace.ts';

/** container.json: what must be known of a container without reading its config.json. */
export type Container = {
  readonly id: string;
  readonly name: string;
  /** As typed. */
  readonly image: string;
  readonly imageId: string | undefined;
  readonly command: readonly string[];
  /** RFC 3339. */
  readonly created: string;
  readonly maker: Maker;
  readonly idMap: IdMap;
  readonly mode: 'ranges' | 'direct' | 'single';
  /** Host ids are a slot of the ranges that no other container may get meanwhile (`--userns auto`). */
  readonly slot: boolean;
  readonly remove: boolean;
  readonly network: string;
  readonly ports: readonly PortRequest[];
  readonly labels: Readonly<Record<string, string>>;
};

/** exit.json. */
export type Exit = { readonly code: number; readonly finished: string; readonly oom?: boolean };

export type Status = 'created' | 'running' | 'exited';
export type Listed = Container & { readonly status: Status; readonly exit: Exit | undefined };

export const containerFolder = (paths: Paths, id: string): string => join(paths.data, 'containers', id);
const nameLink = (paths: Paths, name: string): string => join(paths.data, 'names', name);
const liveMark = (paths: Paths, id: string): string => join(paths.data, 'live', id);

/** Says who makes a container. Before anything else: what is made without a mark would never be seen as left behind. */
export function leaveMark(paths: Paths, id: string, maker: Maker): void {
  write(join(paths.data, 'live'), id, JSON.stringify(maker));
}

export function makeFolder(paths: Paths, id: string): string {
  const folder = containerFolder(paths, id);
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  return folder;
}

/** Claims a name for an id; a symlink is made or refused in one step. @throws RootlessError NAME_IN_USE, NAME_INVALID */
export function claimName(paths: Paths, id: string, wanted: string | undefined): string {
  if (wanted !== undefined) {
    const name = checkName(wanted);
    if (link(paths, name, id)) return name;
    const holder = readlinkSync(nameLink(paths, name));
    throw new RootlessError({
      code: 'NAME_IN_USE',
      message: `the name "${name}" is already in use`,
      why: `container ${holder.slice(0, 12)} has it`,
      fix: `rootless rm ${name}`,
    });
  }
  for (let attempt = 0; attempt < 40; attempt += 1) {
    const name = inventName(id, attempt);
    if (link(paths, name, id)) return name;
  }
  link(paths, id.slice(0, 12), id);
  return id.slice(0, 12);
}

export function releaseName(paths: Paths, name: string): void {
  quietly(() => unlinkSync(nameLink(paths, name)));
}

/** For a container that nothing describes any more: its name is only known by the link. */
export function releaseNamesOf(paths: Paths, id: string): void {
  for (const name of names(join(paths.data, 'names'))) {
    if (readLink(nameLink(paths, name)) === id) releaseName(paths, name);
  }
}

export function clearMark(paths: Paths, id: string): void {
  quietly(() => unlinkSync(liveMark(paths, id)));
}

export function writeContainer(paths: Paths, container: Container): void {
  replace(join(containerFolder(paths, container.id), 'container.json'), JSON.stringify(container));
}

export function writeExit(paths: Paths, id: string, exit: Exit): void {
  replace(join(containerFolder(paths, id), 'exit.json'), JSON.stringify(exit));
}

export function readContainer(paths: Paths, id: string): Listed | undefined {
  const container = readJson<Container>(join(containerFolder(paths, id), 'container.json'));
  if (container === undefined) return undefined;
  const exit = readJson<Exit>(join(containerFolder(paths, id), 'exit.json'));
  const status = exit !== undefined ? 'exited' : isAlive(container.maker) ? 'running' : 'exited';
  return { ...container, status, exit };
}

/** All containers, newest first. */
export function listContainers(paths: Paths): Listed[] {
  return names(join(paths.data, 'containers'))
    .flatMap((id) => readContainer(paths, id) ?? [])
    .sort((a, b) => b.created.localeCompare(a.created));
}

/** By name, id or unique beginning of an id. @throws RootlessError CONTAINER_NOT_FOUND, CONTAINER_AMBIGUOUS */
export function findContainer(paths: Paths, wanted: string): Listed {
  const named = readLink(nameLink(paths, wanted));
  const ids = named !== undefined ? [named] : names(join(paths.data, 'containers')).filter((id) => wanted !== '' && id.startsWith(wanted));
  if (ids.length > 1) {
    throw new RootlessError({ code: 'CONTAINER_AMBIGUOUS', message: `"${wanted}" begins the ids of ${ids.length} containers` });
  }
  const container = ids[0] === undefined ? undefined : readContainer(paths, ids[0]);
  if (container) return container;
  throw new RootlessError({ code: 'CONTAINER_NOT_FOUND', message: `no such container: "${wanted}"`, fix: 'rootless ps -a' });
}

/** Ids of marks whose maker is gone: what a killed rootless may have left. */
export function abandoned(paths: Paths): string[] {
  return names(join(paths.data, 'live')).filter((id) => {
    const maker = readJson<Maker>(liveMark(paths, id));
    return maker !== undefined && !isAlive(maker);
  });
}

function link(paths: Paths, name: string, id: string): boolean {
  const path = nameLink(paths, name);
  try {
    symlinkSync(id, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') {
      mkdirSync(join(paths.data, 'names'), { recursive: true, mode: 0o700 });
      return link(paths, name, id);
    }
    if (code !== 'EEXIST') throw error;
    // A link to a container that is no more is a leftover of a kill: whoever replaces it by rename owns the name.
    const holder = readLink(path);
    if (holder === undefined || lstatSync(containerFolder(paths, holder), { throwIfNoEntry: false })) return false;
    quietly(() => unlinkSync(path));
    return link(paths, name, id);
  }
}

function write(folder: string, name: string, text: string): void {
  const file = join(folder, name);
  try {
    writeFileSync(file, text, { mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(file, text, { mode: 0o600 });
  }
}

function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch {
    return undefined;
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // Already gone.
  }
}
