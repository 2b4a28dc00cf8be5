/** The files of an image without unpacking it: the layers' own lists, laid over each other by the rules of whiteouts (image-spec, layer.md). */

import { RootlessError } from '../errors.ts';
import { runHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import type { Digest } from './digest.ts';
import { inParallel } from './pool.ts';
import { readImage, readableBlob, type StoredImage } from './store.ts';

/** One line of `layer ls` (docs/contract.md). */
type Line = {
  readonly path: string;
  readonly type: string;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly link?: string;
};

export type ImageFile = Line & {
  /** The diffID of the layer that has it as it is. */
  readonly layer: Digest;
};

/** A folder of the merged image; names are without slashes. */
type Node = { file: ImageFile | undefined; readonly children: Map<string, Node> };

/** In the order of a walk, folders before what is in them. @throws RootlessError LAYER_UNREADABLE */
export async function imageFiles(paths: Paths, image: StoredImage, signal?: AbortSignal): Promise<ImageFile[]> {
  const { manifest, config } = readImage(paths, image);
  const lists: (readonly Line[])[] = [];
  const layers = manifest.layers.map(({ digest }, index) => ({ digest, index }));
  await inParallel(
    2,
    layers,
    async ({ digest, index }, stop) => {
      lists[index] = await listLayer(paths, digest, stop);
    },
    signal,
  );
  const root: Node = { file: undefined, children: new Map() };
  for (const [index, lines] of lists.entries()) lay(root, lines, config.diffIds[index] as Digest);
  return [...walk(root)];
}

/** The entries of one layer, as its tar has them. @throws RootlessError LAYER_UNREADABLE */
export async function listLayer(paths: Paths, digest: Digest, stop?: AbortSignal): Promise<Line[]> {
  const { code, stdout, stderr } = await runHelper(paths, ['layer', 'ls', readableBlob(paths, digest)], stop);
  if (code !== 0) throw new RootlessError({ code: 'LAYER_UNREADABLE', message: `cannot read layer ${digest}`, why: stderr.trim() });
  return stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
}

/** Whiteouts hide what lies below their layer, wherever in the layer they stand. */
function lay(root: Node, lines: readonly Line[], layer: Digest): void {
  const placed = lines.map((line) => ({ line, parts: line.path.split('/').filter((part) => part !== '' && part !== '.') }));
  for (const { parts } of placed) {
    const name = parts.at(-1) ?? '';
    const folder = name.startsWith('.wh.') ? find(root, parts.slice(0, -1)) : undefined;
    if (name === '.wh..wh..opq') folder?.children.clear();
    else folder?.children.delete(name.slice('.wh.'.length));
  }
  for (const { line, parts } of placed) {
    if (parts.length === 0 || parts.some((part) => part === '..' || part.startsWith('.wh.'))) continue;
    const node = make(root, parts);
    node.file = { ...line, path: parts.join('/'), layer };
    if (line.type !== 'folder') node.children.clear();
  }
}

function find(root: Node, parts: readonly string[]): Node | undefined {
  return parts.reduce<Node | undefined>((node, part) => node?.children.get(part), root);
}

function make(root: Node, parts: readonly string[]): Node {
  return parts.reduce((node, part) => {
    const child = node.children.get(part) ?? { file: undefined, children: new Map<string, Node>() };
    node.children.set(part, child);
    return child;
  }, root);
}

function* walk({ children }: Node): Generator<ImageFile> {
  for (const [, child] of [...children].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (child.file !== undefined) yield child.file;
    yield* walk(child);
  }
}
