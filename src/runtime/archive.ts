/** The helper's `archive` verb: files out of and into a container, or this machine, as tar streams that never pass through here. */

import { RootlessError } from '../errors.ts';
import { type HelperProcess, type HelperResult, runHelper, startHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import type { IdMap } from '../helper.ts';
import { explainArchive } from './explain-archive.ts';
import { containerFolder, type Listed } from './state.ts';

/** Where a path is. */
export type Place = { readonly kind: 'container'; readonly container: Listed } | { readonly kind: 'local' };

/** docs/contract.md, `archive stat`. */
export type FileFacts = {
  readonly type: 'file' | 'folder' | 'symlink' | 'other';
  readonly mode: number;
  readonly size: number;
  readonly link?: string;
  /** Where the link leads, every link followed; what is there, or null. */
  readonly target?: string;
  readonly leadsTo?: FileFacts | null;
};

export type GetOptions = {
  /** The name in the archive; `.`: what is in the folder. */
  readonly as: string;
  /** Without what is mounted in the container. */
  readonly oneFilesystem?: boolean;
  readonly sparse?: boolean;
  /** Of this machine: ids as the container of this map has them. */
  readonly idMap?: IdMap;
};

export type PutOptions = {
  /** `UID:GID` of all that is copied; else as the archive says. */
  readonly owner?: string;
  /** Without set-id bits. */
  readonly harmless?: boolean;
  readonly idMap?: IdMap;
};

/** What was copied; `bytes` are those of the stream. */
export type Put = { readonly bytes: number; readonly entries: number; readonly devices: number };

/** null where nothing is. @throws RootlessError of the container or the path */
export async function fileFacts(paths: Paths, place: Place, path: string): Promise<FileFacts | null> {
  const result = await runHelper(paths, [...verb(paths, place, 'stat'), ...operands(place, path)]);
  if (result.code !== 0) throw explainArchive(result, place, path);
  const [facts = null] = JSON.parse(result.stdout) as (FileFacts | null)[];
  return facts;
}

/** Copies from one place to a folder of another, from process to process. @throws RootlessError */
export async function pipeFiles(
  paths: Paths,
  from: { readonly place: Place; readonly path: string; readonly options: GetOptions },
  to: { readonly place: Place; readonly path: string; readonly options: PutOptions },
): Promise<Put> {
  const get = startGet(paths, from.place, from.path, from.options, 'stream');
  const stream = get.child.stdout;
  if (stream === null) throw new RootlessError({ code: 'ARCHIVE_FAILED', exit: 1, message: 'cannot make a pipe' });
  const put = startHelper(paths, putArgs(paths, to.place, to.path, to.options), [stream, 'pipe', 'pipe']);
  // The other helper has its own copy: with ours open it would never see the end.
  stream.destroy();
  const [got, done] = await Promise.all([get.done, put.done]);
  // A reader that gave up is the writer's broken pipe; a writer that gave up is the reader's cut archive.
  const cut = got.failure?.target === 'output' && got.failure.errno === 'EPIPE';
  if (got.code !== 0 && !cut) throw explainArchive(got, from.place, from.path);
  if (done.code !== 0) throw explainArchive(done, to.place, to.path);
  if (got.code !== 0) throw explainArchive(got, from.place, from.path);
  return JSON.parse(done.stdout) as Put;
}

/** Writes a tar to our standard output, or to an open file. */
export async function getFiles(paths: Paths, place: Place, path: string, options: GetOptions): Promise<HelperResult> {
  return await startGet(paths, place, path, options, 'inherit').done;
}

/** Copies the entries of the tar on our standard input. @throws RootlessError */
export async function putFiles(paths: Paths, place: Place, path: string, options: PutOptions): Promise<Put> {
  const result = await startHelper(paths, putArgs(paths, place, path, options), ['inherit', 'pipe', 'pipe']).done;
  if (result.code !== 0) throw explainArchive(result, place, path);
  return JSON.parse(result.stdout) as Put;
}

function startGet(paths: Paths, place: Place, path: string, options: GetOptions, stdout: 'stream' | 'inherit'): HelperProcess {
  const args = [
    ...verb(paths, place, 'get'),
    '--as',
    options.as,
    ...(options.oneFilesystem ? ['--one-filesystem'] : []),
    ...(options.sparse ? ['--sparse'] : []),
    ...(options.idMap ? ['--idmap', JSON.stringify(options.idMap)] : []),
    ...operands(place, path),
  ];
  return startHelper(paths, args, ['ignore', stdout, 'pipe']);
}

function putArgs(paths: Paths, place: Place, path: string, options: PutOptions): string[] {
  return [
    ...verb(paths, place, 'put'),
    ...(options.owner === undefined ? [] : ['--owner', options.owner]),
    ...(options.harmless ? ['--harmless'] : []),
    ...(options.idMap ? ['--idmap', JSON.stringify(options.idMap)] : []),
    ...operands(place, path),
  ];
}

function verb(paths: Paths, place: Place, what: 'get' | 'put' | 'stat'): string[] {
  const where = place.kind === 'local' ? ['--local'] : ['--bundle', containerFolder(paths, place.container.id)];
  return ['--root', paths.runtime, 'archive', what, ...where];
}

/** A path may begin with a dash. */
function operands(place: Place, path: string): string[] {
  return ['--', ...(place.kind === 'local' ? [] : [place.container.id]), path];
}
