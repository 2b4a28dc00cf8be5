/** Images of the store as an archive or a folder. */

import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { storeSource } from './blob-source.ts';
import { inFormat } from './convert.ts';
import type { Digest } from './digest.ts';
import { explainTarget } from './disk.ts';
import { type FileSink, folderSink, tarSink } from './file-sink.ts';
import { referenceOf, requireStored } from './find.ts';
import type { Platform } from './platform.ts';
import type { Progress } from './progress.ts';
import { isWhole, listImages, repositoryOf, type StoredImage } from './store.ts';
import { isTagged } from './store-write.ts';
import { type Outgoing, writeFolder, writeLayout, writeSaved } from './write-image.ts';

export const saveFormats = ['docker-archive', 'oci-archive', 'oci-dir', 'docker-dir'] as const;
export type SaveFormat = (typeof saveFormats)[number];

export type SaveOptions = {
  readonly format: SaveFormat;
  readonly platform?: Platform | undefined;
  readonly progress?: Progress | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** An image once, with the names that it was saved under. */
export type Saved = { readonly id: Digest; readonly names: readonly string[] };

/** @param output  a path, or an open descriptor for an archive. @throws RootlessError IMAGE_NOT_FOUND, SAVE_TARGET, DISK_FULL, … */
export async function saveImages(
  paths: Paths,
  wanted: readonly string[],
  output: string | number,
  options: SaveOptions,
): Promise<readonly Saved[]> {
  const { format } = options;
  const chosen = choose(listImages(paths), wanted, options.platform);
  const outgoing = chosen.map(({ image, names }): Outgoing => {
    const source = storeSource(paths, [image]);
    const shown = names[0] ?? image.id;
    return { names, shown, source: inFormat(source, format.startsWith('docker-dir') ? 'docker' : 'oci', shown) };
  });
  const [first] = outgoing;
  if (format === 'docker-dir' && outgoing.length !== 1) throw oneOnly(wanted.length);
  const sink = await open(output, format);
  try {
    if (format === 'docker-archive') await writeSaved(sink, outgoing, options);
    else if (format === 'docker-dir' && first !== undefined) await writeFolder(sink, first, options);
    else await writeLayout(sink, outgoing, options);
    await sink.finish();
    return chosen.map(({ image, names }) => ({ id: image.id, names }));
  } catch (cause) {
    await sink.discard();
    options.signal?.throwIfAborted();
    const gone = chosen.find(({ image }) => !isWhole(paths, image));
    throw gone === undefined ? explainTarget(cause, typeof output === 'number' ? 'standard output' : output) : incomplete(gone, cause);
  }
}

async function open(output: string | number, format: SaveFormat): Promise<FileSink> {
  try {
    return typeof output === 'string' && format.endsWith('-dir') ? folderSink(output) : await tarSink(output);
  } catch (cause) {
    throw explainTarget(cause, String(output));
  }
}

type Chosen = { readonly image: StoredImage; readonly names: readonly string[] };

/** Each image once, with the names it was asked for by. A repository without a tag means all its tags, as with docker; an id has no name. */
function choose(images: readonly StoredImage[], wanted: readonly string[], platform: Platform | undefined): Chosen[] {
  const chosen = new Map<string, { image: StoredImage; names: string[] }>();
  for (const text of wanted) {
    for (const [image, name] of meant(images, text, platform)) {
      const entry = chosen.get(image.id) ?? { image, names: [] };
      if (name !== undefined && !entry.names.includes(name)) entry.names.push(name);
      chosen.set(image.id, entry);
    }
  }
  return [...chosen.values()];
}

function meant(images: readonly StoredImage[], text: string, platform: Platform | undefined): [StoredImage, string | undefined][] {
  const reference = referenceOf(text);
  const bare = reference !== undefined && reference.digest === undefined && !/:[^/]*$/.test(text);
  const repository = `${reference?.registry}/${reference?.repository}`;
  const tags = new Set(
    images.flatMap((image) => (bare && isTagged(image) && repositoryOf(image.name ?? '') === repository ? [image.name ?? ''] : [])),
  );
  if (tags.size > 0) return [...tags].map((name) => [requireStored(images, name, platform), name]);
  const image = requireStored(images, text, platform);
  const named = reference !== undefined && image.name === reference.name && isTagged(image);
  return [[image, named ? image.name : undefined]];
}

function incomplete({ image, names }: Chosen, cause: unknown): RootlessError {
  return new RootlessError({
    code: 'IMAGE_INCOMPLETE',
    message: `image "${names[0] ?? image.id}" is not whole`,
    why: 'a blob of it is missing: it was removed meanwhile, or the store is damaged',
    fix: 'rootless system check',
    cause,
  });
}

function oneOnly(count: number): RootlessError {
  return new RootlessError({
    code: 'SAVE_TARGET',
    message: `cannot save ${count} images as one docker-dir`,
    fix: '--format oci-dir holds several',
    exit: 1,
  });
}
