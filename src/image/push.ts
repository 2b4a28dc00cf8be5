/** Pushing: layers side by side, each asked for before it is sent; a manifest when all that it names is there, an index last. */

import { RootlessError } from '../errors.ts';
import type { BlobSource } from './blob-source.ts';
import { checkBytes, type Digest, digestOf, type Expected } from './digest.ts';
import { type Contents, type Descriptor, manifestLimit, manifestTooLarge, parseContents } from './manifest.ts';
import { inParallel } from './pool.ts';
import type { Progress } from './progress.ts';
import { putManifest } from './put-manifest.ts';
import { type ConvertLayers, type Converted, rewriteIndex, rewriteManifest } from './rewrite.ts';
import type { RegistryReference } from './reference.ts';
import { locateForPush } from './mirrors.ts';
import { type RegistrySettings, Session } from './session.ts';
import { type Outcome, uploadBlob } from './upload.ts';

export type PushOptions = RegistrySettings & {
  /** Layers in another form than they have; the manifest is rewritten to name what was sent. */
  readonly convert?: ConvertLayers | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

export type Pushed = { readonly mediaType: string; readonly digest: Digest; readonly size: number };

const uploads = 4;
/** As when pulling: what is deeper is no image but a trap. */
const deepest = 4;

/**
 * Makes the registry have the image under this name.
 * @returns what the registry now knows it by
 * @throws RootlessError of the registry, DIGEST_MISMATCH, MANIFEST_INVALID, and what the source throws
 */
export async function pushImage(source: BlobSource, target: RegistryReference, options: PushOptions): Promise<Pushed> {
  options.signal?.throwIfAborted();
  const session = new Session(target, options, options.signal, locateForPush(target, options.environment), 'push');
  try {
    return await new Push(session, source, options).document(source.root, source.mediaType, target.tag ?? target.digest, 0);
  } finally {
    session.http.close();
  }
}

class Push {
  readonly #session: Session;
  readonly #source: BlobSource;
  readonly #options: PushOptions;
  /** Blobs that are there or on their way: platforms share layers. */
  readonly #sent = new Map<Digest, Promise<void>>();

  constructor(session: Session, source: BlobSource, options: PushOptions) {
    this.#session = session;
    this.#source = source;
    this.#options = options;
  }

  /** A manifest or an index with all that it names; `name` undefined is its own digest. */
  async document(bytes: Uint8Array, mediaType: string, name: string | undefined, depth: number): Promise<Pushed> {
    const { reference } = this.#session;
    const contents = parseContents(bytes, reference.name);
    const ready = contents.kind === 'index' ? await this.#index(bytes, contents, depth) : await this.#manifest(bytes, contents);
    const digest = digestOf(ready);
    if (depth === 0 && reference.tag === undefined && reference.digest !== digest) throw otherDigest(reference, digest);
    const type = ready === bytes ? mediaType : parseContents(ready, reference.name).mediaType;
    await putManifest(this.#session, { bytes: ready, digest, mediaType: type, contents, name: name ?? digest });
    return { mediaType: type, digest, size: ready.length };
  }

  async #index(bytes: Uint8Array, { manifests }: Contents, depth: number): Promise<Uint8Array> {
    const { name } = this.#session.reference;
    if (depth === deepest) throw new RootlessError({ code: 'MANIFEST_INVALID', message: `index of "${name}" is nested too deeply` });
    const pushed: Pushed[] = [];
    for (const manifest of manifests) {
      if (manifest.size > manifestLimit) throw manifestTooLarge(name);
      const inner = await collect(this.#source.open(manifest, 0));
      checkBytes(inner, manifest);
      pushed.push(await this.document(inner, manifest.mediaType, undefined, depth + 1));
    }
    return rewriteIndex(bytes, pushed);
  }

  async #manifest(bytes: Uint8Array, { config, layers }: Contents): Promise<Uint8Array> {
    const converted: (Converted | undefined)[] = [];
    const parts = [...layers.map((blob, index) => ({ blob, index })), ...(config === undefined ? [] : [{ blob: config, index: -1 }])];
    await inParallel(
      uploads,
      parts,
      async ({ blob, index }, stop) => {
        // A layer that only its maker may give away stays where its URLs lead (image-spec, layer.md "Non-Distributable Layers").
        if (/nondistributable|foreign/.test(blob.mediaType)) return;
        converted[index] = index < 0 ? undefined : await this.#options.convert?.(blob, this.#options.progress, stop);
        await this.#once(converted[index] ?? this.#plain(blob), blob, index >= 0, stop);
      },
      this.#options.signal,
    );
    return rewriteManifest(bytes, converted);
  }

  #plain(blob: Descriptor): Converted {
    return { ...blob, open: (from) => this.#source.open(blob, from) };
  }

  #once(blob: Converted, original: Expected, shown: boolean, stop: AbortSignal): Promise<void> {
    const running = this.#sent.get(blob.digest) ?? this.#blob(blob, original, shown ? this.#options.progress : undefined, stop);
    this.#sent.set(blob.digest, running);
    return running;
  }

  async #blob(blob: Converted, original: Expected, progress: Progress | undefined, signal: AbortSignal): Promise<void> {
    const { digest, size } = blob;
    const tell = (done: number, note?: string) =>
      progress?.({ kind: 'upload', digest: original.digest, done, total: size, ...(note === undefined ? {} : { note }) });
    tell(0);
    const registry = this.#session.reference.registry;
    const origins = [original, blob].flatMap((one) => [...(this.#source.origins?.(one, registry) ?? [])]);
    const others = [...new Set(origins)].filter((repository) => repository !== this.#session.endpoint.repository);
    const outcome = await uploadBlob(this.#session, { digest, size }, { open: blob.open, origins: others, report: tell, signal });
    tell(size, words(outcome));
  }
}

/** In docker's words. */
function words(outcome: Outcome): string {
  if (outcome.kind === 'mounted') return `Mounted from ${outcome.from}`;
  return outcome.kind === 'exists' ? 'Layer already exists' : 'Pushed';
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function otherDigest({ name }: RegistryReference, digest: Digest): RootlessError {
  return new RootlessError({
    code: 'DIGEST_MISMATCH',
    message: `cannot push as "${name}"`,
    why: `the image has the digest ${digest}`,
    fix: 'push it under a tag',
  });
}
