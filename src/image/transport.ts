/** Where `copy` reads and writes: a registry, this store, and the forms of other tools, parsed once. */

import { resolve } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { invalid as notWhole, tagNotFound } from './archive.ts';
import { storeSource } from './blob-source.ts';
import type { Expected } from './digest.ts';
import { archiveFiles, folderFiles, type ImageFiles } from './files.ts';
import { compressionOfFile, inflate } from './inflate.ts';
import { imagesIn } from './load.ts';
import { manifestLimit } from './manifest.ts';
import { parseImageSource, parseReference, type RegistryReference } from './reference.ts';
import { openRegistry } from './registry.ts';
import type { RegistrySettings } from './session.ts';
import type { SourceImage } from './source-image.ts';
import { listImages } from './store.ts';
import { platformsOf } from './tag.ts';
import { readTarIndex } from './tar-index.ts';

export type Transport =
  | { readonly kind: 'registry'; readonly reference: RegistryReference; readonly text: string }
  | { readonly kind: 'store'; readonly name: string; readonly text: string }
  | { readonly kind: 'oci' | 'dir'; readonly path: string; readonly tag: string | undefined; readonly text: string }
  | { readonly kind: 'oci-archive' | 'docker-archive'; readonly path: string; readonly tag: string | undefined; readonly text: string };

export const transportForms =
  'docker://REF, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF], dir:DIR, or a name in the store';

/** @throws RootlessError REFERENCE_INVALID, TRANSPORT_UNKNOWN */
export function parseTransport(text: string): Transport {
  if (text.startsWith('containers-storage:')) return { kind: 'store', name: text.slice('containers-storage:'.length), text };
  if (text.startsWith('dir:')) return { kind: 'dir', path: resolve(text.slice(4)), tag: undefined, text };
  const scheme = /^([a-z][a-z-]*):(?!\d)/.exec(text)?.[1];
  if (scheme !== undefined && ['docker-daemon', 'tarball', 'sif', 'ostree', 'atomic', 'http', 'https', 'rootfs', 'host'].includes(scheme))
    throw unknown(text);
  const source = parseImageSource(text);
  switch (source.kind) {
    case 'registry':
      return text.startsWith('docker://') ? { kind: 'registry', reference: source, text } : { kind: 'store', name: text, text };
    case 'oci':
      return { kind: 'oci', path: resolve(source.dir), tag: source.tag, text };
    case 'oci-archive':
    case 'docker-archive':
      return { kind: source.kind, path: resolve(source.file), tag: source.tag, text };
    default:
      throw unknown(text);
  }
}

/** An image where it is, and what has to be closed when it was read. */
export type OpenImage = SourceImage & Disposable;

export type OpenOptions = { readonly registry: RegistrySettings; readonly signal?: AbortSignal | undefined };

/** @throws RootlessError IMAGE_NOT_FOUND, TAG_NOT_FOUND, TAG_MISSING, ARCHIVE_…, LAYOUT_…, those of the registry */
export async function openTransport(paths: Paths, from: Transport, { registry, signal }: OpenOptions): Promise<OpenImage> {
  switch (from.kind) {
    case 'registry':
      return openRemote(from.reference, registry, signal);
    case 'store':
      return openStored(paths, from.name);
    case 'oci':
    case 'dir':
      return { ...(await choose(folderFiles(from.path, from.text), from.tag)), [Symbol.dispose]: () => undefined };
    default: {
      const kind = compressionOfFile(from.path);
      const plain = kind === undefined ? undefined : await inflate(paths, from.path, kind, from.text, signal);
      const file = plain?.file ?? from.path;
      const files = archiveFiles(file, readTarIndex(file, from.text), from.text);
      return { ...(await choose(files, from.tag)), [Symbol.dispose]: () => plain?.[Symbol.dispose]() };
    }
  }
}

async function openRemote(reference: RegistryReference, settings: RegistrySettings, signal: AbortSignal | undefined): Promise<OpenImage> {
  const registry = openRegistry(reference, settings, signal);
  const root = await registry.manifest(reference.digest ?? reference.tag ?? 'latest').catch((cause: unknown) => {
    registry.close();
    throw cause;
  });
  const { mediaType } = JSON.parse(root.toString('utf8')) as { readonly mediaType?: string };
  const manifests = new Set(listed(root));
  async function* open(blob: Expected, from: number): AsyncGenerator<Uint8Array> {
    if (!manifests.has(blob.digest) || blob.size > manifestLimit) return yield* skipping(registry.blob(blob, signal), from);
    const bytes = await registry.manifest(blob.digest);
    for (const inner of listed(bytes)) manifests.add(inner);
    yield bytes.subarray(from);
  }
  return {
    names: [reference.name],
    source: { root, mediaType: mediaType ?? 'application/vnd.oci.image.manifest.v1+json', open },
    has: () => true,
    [Symbol.dispose]: () => registry.close(),
  };
}

/** Digests of the manifests that an index names: they are asked for at another place than blobs. */
function listed(bytes: Uint8Array): string[] {
  const { manifests } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { readonly manifests?: readonly { readonly digest: string }[] };
  return Array.isArray(manifests) ? manifests.map(({ digest }) => digest) : [];
}

async function* skipping(content: AsyncIterable<Uint8Array>, from: number): AsyncGenerator<Uint8Array> {
  let skip = from;
  for await (const chunk of content) {
    yield chunk.subarray(Math.min(skip, chunk.length));
    skip -= Math.min(skip, chunk.length);
  }
}

function openStored(paths: Paths, name: string): OpenImage {
  const found = platformsOf(listImages(paths), name);
  const [first, ...rest] = found;
  if (first === undefined) throw new RootlessError({ code: 'IMAGE_NOT_FOUND', message: `no such image: "${name}"`, exit: 1 });
  const names = found.flatMap((image) => image.name ?? []);
  return { names: [...new Set(names)], source: storeSource(paths, [first, ...rest]), has: () => true, [Symbol.dispose]: () => undefined };
}

/** By tag, or by the whole name; without one there must be only one. */
async function choose(files: ImageFiles, tag: string | undefined): Promise<SourceImage> {
  const images = await imagesIn(files);
  const names = images.flatMap((image) => image.names);
  const [first] = tag === undefined ? images : images.filter((image) => image.names.some((name) => isNamed(name, tag)));
  if (first === undefined) throw tag === undefined ? notWhole(files.shown, 'it holds no image') : tagNotFound(files.shown, tag, names);
  if (tag !== undefined || images.length === 1) return first;
  throw new RootlessError({
    code: 'TAG_MISSING',
    message: `"${files.shown}" holds several images`,
    why: names.length === 0 ? 'they have no names: "rootless load" takes all of them' : `say which: ${names.join(', ')}`,
  });
}

function isNamed(name: string, wanted: string): boolean {
  if (name === wanted) return true;
  try {
    return parseReference(name).name === parseReference(wanted).name;
  } catch {
    return false;
  }
}

function unknown(text: string): RootlessError {
  return new RootlessError({
    code: 'TRANSPORT_UNKNOWN',
    message: `cannot copy from or to "${text}"`,
    why: 'there is no such transport',
    fix: transportForms,
  });
}
