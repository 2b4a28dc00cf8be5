/** Images as files, in the forms that other tools read: OCI layouts, docker's archives, skopeo's folders. */

import { blobName } from './archive.ts';
import type { BlobSource } from './blob-source.ts';
import { checkBytes, type Digest, digestOf, type Expected, hexOf, verified } from './digest.ts';
import type { FileSink } from './file-sink.ts';
import { type Contents, type Descriptor, manifestLimit, manifestTooLarge, mediaTypes, parseContents } from './manifest.ts';
import type { Progress } from './progress.ts';
import { parseReference } from './reference.ts';
import { familiarReference } from './removal.ts';

/** An image and the names that it gets, each canonical or, in a layout, a bare tag. */
export type Outgoing = { readonly source: BlobSource; readonly names: readonly string[]; readonly shown: string };

export type WriteOptions = { readonly progress?: Progress | undefined; readonly signal?: AbortSignal | undefined };

type Entry = {
  readonly descriptor: Pick<Descriptor, 'mediaType' | 'digest' | 'size'>;
  readonly contents: Contents;
  readonly names: readonly string[];
};

const deepest = 4;

/** An OCI image layout; names of what is there already move to what comes. */
export async function writeLayout(sink: FileSink, images: readonly Outgoing[], options: WriteOptions): Promise<void> {
  const entries = await writeBlobs(sink, images, blobName, options);
  const named = entries.flatMap(({ descriptor, names }) =>
    names.length === 0 ? [{ ...descriptor }] : names.map((name) => nameIn(descriptor, name, {})),
  );
  await put(sink, 'oci-layout', '{"imageLayoutVersion":"1.0.0"}');
  await put(sink, 'index.json', JSON.stringify(indexOf([...kept(sink, named), ...named])));
}

/** What docker has written since version 25: a layout, and beside it the list that older versions and podman read. */
export async function writeSaved(sink: FileSink, images: readonly Outgoing[], options: WriteOptions): Promise<void> {
  const entries = await writeBlobs(sink, images, blobName, options);
  const named = entries.flatMap(({ descriptor, names }) =>
    names.length === 0
      ? [{ ...descriptor }]
      : names.map((name) => nameIn(descriptor, parseReference(name).tag ?? name, { 'io.containerd.image.name': name })),
  );
  const saved = entries.map(({ contents, names }) => ({
    Config: contents.config === undefined ? '' : blobName(contents.config.digest),
    RepoTags: names.length === 0 ? null : names.map(familiarReference),
    Layers: contents.layers.map(({ digest }) => blobName(digest)),
  }));
  await put(sink, 'oci-layout', '{"imageLayoutVersion":"1.0.0"}');
  await put(sink, 'index.json', JSON.stringify(indexOf(named)));
  await put(sink, 'manifest.json', JSON.stringify(saved));
}

/** skopeo's `dir:`: one image, its blobs by hex digits. */
export async function writeFolder(sink: FileSink, image: Outgoing, options: WriteOptions): Promise<void> {
  const isManifest = (kind: 'blob' | 'manifest', digest: Digest) =>
    kind === 'manifest' ? `${hexOf(digest)}.manifest.json` : hexOf(digest);
  await writeDocument(sink, image, image.source.root, (digest, kind) => isManifest(kind, digest), options, 0);
  await put(sink, 'version', 'Directory Transport Version: 1.1\n');
  await sink.add('manifest.json', image.source.root.length, image.source.root, false);
}

type NameOf = (digest: Digest, kind: 'blob' | 'manifest') => string;

async function writeBlobs(sink: FileSink, images: readonly Outgoing[], nameOf: NameOf, options: WriteOptions): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const image of images) {
    const { root, mediaType } = image.source;
    const contents = await writeDocument(sink, image, root, nameOf, options, 0);
    const digest = digestOf(root);
    await sink.add(nameOf(digest, 'manifest'), root.length, root, true);
    entries.push({ descriptor: { mediaType, digest, size: root.length }, contents, names: image.names });
  }
  return entries;
}

/** All that a document names, not the document itself. */
async function writeDocument(
  sink: FileSink,
  image: Outgoing,
  bytes: Uint8Array,
  nameOf: NameOf,
  options: WriteOptions,
  depth: number,
): Promise<Contents> {
  const contents = parseContents(bytes, image.shown);
  for (const inner of depth < deepest ? contents.manifests : []) {
    if (inner.size > manifestLimit) throw manifestTooLarge(image.shown);
    const document = await collect(verified(image.source.open(inner, 0), inner));
    checkBytes(document, inner);
    await writeDocument(sink, image, document, nameOf, options, depth + 1);
    await sink.add(nameOf(inner.digest, 'manifest'), document.length, document, true);
  }
  const blobs = [...contents.layers, ...(contents.config === undefined ? [] : [contents.config])];
  for (const blob of blobs) {
    // A layer that only its maker may give away stays where its URLs lead (image-spec, layer.md "Non-Distributable Layers").
    if (/nondistributable|foreign/.test(blob.mediaType)) continue;
    options.signal?.throwIfAborted();
    await sink.add(nameOf(blob.digest, 'blob'), blob.size, told(image.source, blob, options), true);
    options.progress?.({ kind: 'copy', digest: blob.digest, done: blob.size, total: blob.size });
  }
  return contents;
}

/** Opened only when it is read. */
async function* told(source: BlobSource, blob: Expected, { progress, signal }: WriteOptions): AsyncGenerator<Uint8Array> {
  const { digest, size } = blob;
  let done = 0;
  for await (const chunk of verified(source.open(blob, 0), blob)) {
    signal?.throwIfAborted();
    done += chunk.length;
    progress?.({ kind: 'copy', digest, done, total: size });
    yield chunk;
  }
}

type Named = Entry['descriptor'] & { readonly annotations?: Readonly<Record<string, string>> };

function nameIn(descriptor: Entry['descriptor'], name: string, more: Readonly<Record<string, string>>): Named {
  return { ...descriptor, annotations: { ...more, 'org.opencontainers.image.ref.name': name } };
}

/** Entries of a layout that stay: those with other names. */
function kept(sink: FileSink, named: readonly Named[]): unknown[] {
  const bytes = sink.existing('index.json');
  if (bytes === undefined) return [];
  const taken = new Set(named.map(({ annotations }) => annotations?.['org.opencontainers.image.ref.name']));
  const { manifests } = parseContents(bytes, 'index.json');
  const all = (JSON.parse(bytes.toString('utf8')) as { manifests: unknown[] }).manifests;
  return all.filter((_entry, at) => !taken.has(manifests[at]?.annotations['org.opencontainers.image.ref.name']));
}

function indexOf(manifests: readonly unknown[]): object {
  return { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
}

function put(sink: FileSink, name: string, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  return sink.add(name, bytes.length, bytes, false);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}
