/** The image that something was made from, as documents and bytes again: in the store, or still where it was named. */

import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { storeSource, type BlobSource } from './blob-source.ts';
import type { Digest } from './digest.ts';
import { archiveFiles, folderFiles } from './files.ts';
import { compressionOfFile, inflate } from './inflate.ts';
import { imagesIn } from './load.ts';
import { type PlatformImage, platformImages } from './platforms.ts';
import { parseImageSource } from './reference.ts';
import { listImages } from './store.ts';
import { readTarIndex } from './tar-index.ts';

export type BaseSource = { readonly image: PlatformImage; readonly source: BlobSource };

/**
 * @param id   of the configuration
 * @param named  as it was typed: where to look if the store does not have it
 * @throws RootlessError IMAGE_NOT_FOUND when it is gone
 */
export async function withBase<T>(
  paths: Paths,
  id: Digest,
  named: string,
  signal: AbortSignal | undefined,
  use: (base: BaseSource) => Promise<T>,
): Promise<T> {
  const stored = listImages(paths).find((image) => image.id === id);
  if (stored !== undefined) return use(await pick(storeSource(paths, [stored]), id, named));
  const place = parseImageSource(named);
  switch (place.kind) {
    case 'oci':
      return use(await search(folderFiles(place.dir, named), id, named));
    case 'embedded':
      return use(await search(folderFiles(join(paths.dist, 'images', place.name), named), id, named));
    case 'oci-archive':
    case 'docker-archive': {
      const kind = compressionOfFile(place.file);
      using plain = kind === undefined ? undefined : await inflate(paths, place.file, kind, named, signal);
      const file = plain?.file ?? place.file;
      return await use(await search(archiveFiles(file, readTarIndex(file, named), named), id, named));
    }
    default:
      throw gone(id, named);
  }
}

async function search(files: Parameters<typeof imagesIn>[0], id: Digest, named: string): Promise<BaseSource> {
  for (const { source, has } of await imagesIn(files)) {
    const image = (await platformImages(source, named, { present: has })).find(({ manifest }) => manifest.config.digest === id);
    if (image !== undefined) return { image, source };
  }
  throw gone(id, named);
}

async function pick(source: BlobSource, id: Digest, named: string): Promise<BaseSource> {
  const [image] = await platformImages(source, named, { present: () => true });
  if (image === undefined) throw gone(id, named);
  return { image, source };
}

function gone(id: Digest, named: string): RootlessError {
  return new RootlessError({
    code: 'IMAGE_NOT_FOUND',
    message: `the image "${named}" is not there any more`,
    why: `nothing has the configuration ${id}`,
    fix: `rootless pull ${named}, if its tag has not moved`,
  });
}
