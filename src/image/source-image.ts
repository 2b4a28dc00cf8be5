/** Images that lie in files, all of a folder or archive, as bytes that can be stored, copied or pushed. */

import { blobName, checkLayout, invalid } from './archive.ts';
import type { BlobSource } from './blob-source.ts';
import { parseConfig } from './config.ts';
import { checkBytes, type Digest, digestOf, type Expected, hexOf, parseDigest } from './digest.ts';
import type { ImageFiles } from './files.ts';
import { type Descriptor, manifestLimit, mediaTypes, parseContents } from './manifest.ts';
import { readSaved, readSavedConfig, type SavedImage } from './saved.ts';
import { compression } from './tar-header.ts';

export type SourceImage = {
  /** As its folder or archive has them: a tag, or a whole reference. */
  readonly names: readonly string[];
  readonly source: BlobSource;
  /** Whether a document or blob is there: archives may hold one platform of several. */
  has(blob: Expected): boolean;
};

/** An OCI image layout; docker's new archives are layouts too, with an older index beside. @throws RootlessError LAYOUT_INVALID, MANIFEST_INVALID */
export function layoutImages(files: ImageFiles): SourceImage[] {
  checkLayout(files);
  const index = parseContents(files.read('index.json', manifestLimit), files.shown);
  if (index.kind !== 'index') throw invalid(files.shown, 'its index.json is not an index');
  const byDigest = new Map<Digest, Descriptor[]>();
  for (const entry of index.manifests) byDigest.set(entry.digest, [...(byDigest.get(entry.digest) ?? []), entry]);
  return [...byDigest.values()].flatMap((entries) => {
    const [first] = entries;
    return first === undefined ? [] : [layoutImage(files, first, entries)];
  });
}

function layoutImage(files: ImageFiles, first: Descriptor, entries: readonly Descriptor[]): SourceImage {
  const root = files.read(blobName(first.digest), manifestLimit);
  checkBytes(root, first);
  const open = ({ digest }: Expected, from: number) => files.stream(blobName(digest), from);
  const named = ({ annotations }: Descriptor) =>
    annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'] ?? [];
  return {
    names: [...new Set(entries.flatMap(named))],
    source: { root, mediaType: first.mediaType, open },
    has: ({ digest }) => files.size(blobName(digest)) !== undefined,
  };
}

/** skopeo's `dir:`: a manifest, and blobs by the hex digits of their digests. */
export function folderImages(files: ImageFiles): SourceImage[] {
  const root = files.read('manifest.json', manifestLimit);
  const { mediaType } = parseContents(root, files.shown);
  const nameOf = ({ digest }: Expected) => [hexOf(digest), `${hexOf(digest)}.manifest.json`].find((name) => files.size(name) !== undefined);
  const open = (blob: Expected, from: number) => files.stream(nameOf(blob) ?? hexOf(blob.digest), from);
  return [{ names: [], source: { root, mediaType, open }, has: (blob) => nameOf(blob) !== undefined }];
}

/** docker's archives have no manifest of the registries' kind: one is written for what is there. */
export async function savedImages(files: ImageFiles): Promise<SourceImage[]> {
  const images: SourceImage[] = [];
  for (const saved of readSaved(files)) images.push(await savedImage(files, saved));
  return images;
}

type SavedLayer = { readonly member: string; readonly descriptor: Pick<Descriptor, 'mediaType' | 'digest' | 'size'> };

async function savedImage(files: ImageFiles, saved: SavedImage): Promise<SourceImage> {
  const bytes = readSavedConfig(files, saved.config);
  const { diffIds } = parseConfig(bytes, files.shown);
  if (diffIds.length !== saved.layers.length)
    throw invalid(files.shown, `its manifest has ${saved.layers.length} layers, its configuration ${diffIds.length}`);
  const layers: SavedLayer[] = [];
  for (const [index, member] of saved.layers.entries()) layers.push(await savedLayer(files, member, diffIds[index] as Digest));
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(bytes), size: bytes.length };
  const descriptors = layers.map(({ descriptor }) => descriptor);
  const members = new Map([[config.digest, saved.config], ...layers.map(({ member, descriptor }) => [descriptor.digest, member] as const)]);
  const manifest = { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: descriptors };
  return {
    names: saved.tags,
    source: {
      root: Buffer.from(JSON.stringify(manifest)),
      mediaType: mediaTypes.ociManifest,
      open: ({ digest }, from) => files.stream(members.get(digest) ?? blobName(digest), from),
    },
    has: ({ digest }) => members.has(digest),
  };
}

/** A plain layer has its diffID as digest; a compressed one is named by its digest, or hashed. */
async function savedLayer(files: ImageFiles, member: string, diffId: Digest): Promise<SavedLayer> {
  const size = files.size(member);
  if (size === undefined) files.read(member, 0);
  const kind = compressionOf(files.head(member, 6), files.shown, member);
  const digest =
    kind === '' ? diffId : (parseDigest(member.replace(/^blobs\/(sha256|sha512)\//, '$1:')) ?? (await hashOf(files.stream(member))));
  return { member, descriptor: { mediaType: `application/vnd.oci.image.layer.v1.tar${kind}`, digest, size: size ?? 0 } };
}

function compressionOf(head: Buffer, shown: string, member: string): '' | '+gzip' | '+zstd' {
  if (head.length > 2 && head.readUInt16BE(0) === 0x1f8b) return '+gzip';
  const other = compression(head);
  if (other === 'zstd') return '+zstd';
  if (other === undefined) return '';
  throw invalid(shown, `its layer "${member}" is compressed by ${other}, which no image may be`);
}

async function hashOf(content: AsyncIterable<Uint8Array>): Promise<Digest> {
  const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
  for await (const chunk of content) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}
