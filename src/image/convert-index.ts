/** An index and all its manifests in the words of the OCI or of docker: what changes gets another digest, and the index names that. */

import type { BlobSource } from './blob-source.ts';
import { inFormat, type ManifestFormat } from './convert.ts';
import { type Digest, digestOf, verified } from './digest.ts';
import { manifestLimit, manifestTooLarge, mediaTypes, parseContents } from './manifest.ts';

type Json = Record<string, unknown>;

/** @throws RootlessError FORMAT_IMPOSSIBLE, MANIFEST_INVALID, DIGEST_MISMATCH */
export async function convertIndex(source: BlobSource, format: ManifestFormat, shown: string): Promise<BlobSource> {
  const rewritten = new Map<Digest, Uint8Array>();
  const document = JSON.parse(Buffer.from(source.root).toString('utf8')) as Json & { readonly manifests: readonly Json[] };
  const { manifests, mediaType } = parseContents(source.root, shown);
  const entries: Json[] = [];
  for (const [index, entry] of manifests.entries()) {
    if (entry.size > manifestLimit) throw manifestTooLarge(shown);
    const bytes = await collect(verified(source.open(entry, 0), entry));
    const { kind } = parseContents(bytes, shown);
    const one = { ...source, root: bytes, mediaType: entry.mediaType };
    const inner = kind === 'index' ? one : inFormat(one, format, shown);
    const digest = digestOf(inner.root);
    rewritten.set(digest, inner.root);
    entries.push({ ...document.manifests[index], mediaType: inner.mediaType, digest, size: inner.root.length });
  }
  const wanted = format === 'oci' ? mediaTypes.ociIndex : mediaTypes.dockerList;
  const same = mediaType === wanted && manifests.every(({ digest }) => rewritten.has(digest));
  const root = same ? source.root : Buffer.from(JSON.stringify({ ...document, mediaType: wanted, manifests: entries }));
  return {
    ...source,
    root,
    mediaType: wanted,
    open: (blob, from) => {
      const bytes = rewritten.get(blob.digest);
      return bytes === undefined ? source.open(blob, from) : once(bytes.subarray(from));
    },
  };
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
