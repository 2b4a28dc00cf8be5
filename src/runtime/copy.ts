/** `cp`: between containers and this machine, by docker's rules. */

import { posix } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { type FileFacts, fileFacts, getFiles, type Place, pipeFiles, type Put, putFiles, type PutOptions } from './archive.ts';
import { baseOf, copyTarget, saysContents, saysFolder, type Side } from './copy-target.ts';
import { tellContainer } from './events.ts';
import { explainArchive, showPath } from './explain-archive.ts';

/** One end of a copy; the path is absolute. */
export type End = { readonly place: Place; readonly path: string };

export type CopyOptions = {
  /** Owners are kept as far as this machine and the container have them both. */
  readonly archive: boolean;
  /** A link as source is followed. */
  readonly followLink: boolean;
};

/** @returns undefined when the archive went to our standard output */
export async function copyFiles(paths: Paths, from: End | '-', to: End | '-', options: CopyOptions): Promise<Put | undefined> {
  if (from === '-') {
    if (to === '-') throw new RootlessError({ code: 'COPY_ENDS', exit: 1, message: 'one end of a copy is a path' });
    return await fromArchive(paths, to);
  }
  const source = await findSource(paths, from, options.followLink);
  if (to === '-') return await toArchive(paths, from, source);
  const destination = await findDestination(paths, to);
  const { folder, name } = copyTarget(source, destination, source.name);
  refuseInside(from, source.path, to, posix.join(folder, name));
  const put = await pipeFiles(
    paths,
    { place: from.place, path: source.path, options: { as: name, sparse: true, ...hostIds(from.place, to.place, options) } },
    { place: to.place, path: folder, options: owners(from.place, to.place, options) },
  );
  tell(paths, from.place, 'archive-path');
  tell(paths, to.place, 'extract-to-dir');
  return put;
}

/** Owners are the archive's. */
async function fromArchive(paths: Paths, to: End): Promise<Put> {
  const destination = await findDestination(paths, to);
  if (destination.what !== 'folder') {
    throw new RootlessError({ code: 'PATH_NOT_FOLDER', exit: 1, message: `destination "${destination.shown}" must be a folder` });
  }
  const put = await putFiles(paths, to.place, destination.path, {});
  tell(paths, to.place, 'extract-to-dir');
  return put;
}

async function toArchive(paths: Paths, from: End, source: Source): Promise<undefined> {
  const result = await getFiles(paths, from.place, source.path, { as: source.name });
  const closed = result.failure?.target === 'output' && result.failure.errno === 'EPIPE';
  if (result.code !== 0 && !closed) throw explainArchive(result, from.place, source.path);
  tell(paths, from.place, 'archive-path');
  return undefined;
}

type Source = Side & { readonly name: string };

/** A link is what is copied, unless it is to be followed or its path says that it is a folder. */
async function findSource(paths: Paths, { place, path }: End, followLink: boolean): Promise<Source> {
  const shown = showPath(place, path);
  const facts = await fileFacts(paths, place, path);
  if (facts === null) throw new RootlessError({ code: 'PATH_NOT_FOUND', exit: 1, message: `no such file or folder: "${shown}"` });
  const followed = facts.type === 'symlink' && (followLink || saysFolder(path));
  if (followed && !facts.leadsTo) {
    throw new RootlessError({
      code: 'PATH_NOT_FOUND',
      exit: 1,
      message: `"${shown}" is a link to nothing`,
      why: `it leads to "${facts.link}"`,
    });
  }
  const what = kindOf(followed ? (facts.leadsTo ?? null) : facts);
  if (what === 'file' && saysFolder(path))
    throw new RootlessError({ code: 'PATH_NOT_FOLDER', exit: 1, message: `not a folder: "${shown}"` });
  const real = followed && facts.target !== undefined ? facts.target : path;
  return { path: saysContents(path) && real !== path ? `${real}/.` : real, shown, what, name: baseOf(path) };
}

/** A link is followed; one that leads to nothing is where the copy is made. */
async function findDestination(paths: Paths, { place, path }: End): Promise<Side> {
  const shown = showPath(place, path);
  const facts = await fileFacts(paths, place, path);
  if (facts?.type !== 'symlink') return { path, shown, what: kindOf(facts) };
  const target = facts.target ?? path;
  return { path: saysFolder(path) ? `${target}/` : target, shown, what: kindOf(facts.leadsTo ?? null) };
}

function kindOf(facts: FileFacts | null): Side['what'] {
  if (facts === null) return 'nothing';
  return facts.type === 'folder' ? 'folder' : 'file';
}

/** What is copied to a container belongs to its root, to this machine to the caller, unless owners are kept. */
function owners(from: Place, to: Place, { archive }: CopyOptions): PutOptions {
  if (to.kind === 'container') return archive ? {} : { owner: '0:0' };
  if (from.kind === 'container' && archive && process.getuid?.() === 0) return { idMap: from.container.idMap };
  return archive ? {} : { harmless: true };
}

function hostIds(from: Place, to: Place, { archive }: CopyOptions) {
  return archive && from.kind === 'local' && to.kind === 'container' ? { idMap: to.container.idMap } : {};
}

/** A folder copied into itself would never end. */
function refuseInside(from: End, source: string, to: End, target: string): void {
  const same =
    from.place.kind === 'container' && to.place.kind === 'container'
      ? from.place.container.id === to.place.container.id
      : from.place.kind === to.place.kind;
  const folder = `${posix.normalize(`${source}/`)}`;
  if (!same || !`${posix.normalize(target)}/`.startsWith(folder)) return;
  throw new RootlessError({ code: 'COPY_ENDS', exit: 1, message: `cannot copy "${showPath(from.place, source)}" into itself` });
}

function tell(paths: Paths, place: Place, action: string): void {
  if (place.kind === 'container') tellContainer(paths, place.container, action);
}
