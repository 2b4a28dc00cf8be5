/** `commit`: a container's changes as one more layer of its image, in the store. */

import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { runHelper } from '../helper.ts';
import { temporaryName } from '../image/atomic.ts';
import { withBase } from '../image/base-source.ts';
import { lease } from '../image/blobs.ts';
import { inFormat, type ManifestFormat } from '../image/convert.ts';
import { type Digest, parseDigest } from '../image/digest.ts';
import { type NewLayer, withLayer } from '../image/layered.ts';
import { parseReference } from '../image/reference.ts';
import { blobFile, imagesFolder } from '../image/store.ts';
import { storeImage } from '../image/store-image.ts';
import { makeFolders, type Paths } from '../paths.ts';
import { applyChanges } from './change.ts';
import { runConfigOf } from './commit-config.ts';
import { treeArgs } from './diff.ts';
import { tellContainer } from './events.ts';
import { explainPack } from './explain-pack.ts';
import { whilePaused } from './paused.ts';
import type { Listed } from './state.ts';

export type CommitOptions = {
  /** Canonical or not; undefined leaves the image without a name. */
  readonly name: string | undefined;
  readonly author: string | undefined;
  readonly message: string | undefined;
  readonly changes: readonly string[];
  /** `undefined`: where it is possible. */
  readonly pause: boolean | undefined;
  readonly format: ManifestFormat;
  /** Seconds since 1970; no time in the image is later (SOURCE_DATE_EPOCH). */
  readonly epoch: number | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** @returns the image's id. @throws RootlessError NO_LAYERS, CHANGE_INVALID, IMAGE_NOT_FOUND, DISK_FULL, … */
export async function commitContainer(paths: Paths, container: Listed, options: CommitOptions): Promise<Digest> {
  const { base, name } = container;
  if (base.kind !== 'layers') {
    throw new RootlessError({
      code: 'NO_LAYERS',
      exit: 1,
      message: `container "${name}" is not made from an image`,
      why: `it was made from "${container.image}"`,
      fix: base.kind === 'rootfs' ? `rootless export ${name} | rootless import - NAME` : undefined,
    });
  }
  const reference = options.name === undefined ? undefined : parseReference(options.name).name;
  const config = applyChanges(await runConfigOf(paths, container), options.changes);
  using _lease = lease(paths);
  const layer = await whilePaused(paths, container, options.pause, () => packLayer(paths, container, options.epoch));
  const created = (options.epoch === undefined ? new Date() : new Date(options.epoch * 1000)).toISOString();
  const provenance = { created, createdBy: container.command.join(' '), author: options.author, comment: options.message };
  const [image] = await withBase(paths, base.id, container.image, options.signal, (from) => {
    const source = inFormat(withLayer(from, layer, config, provenance), options.format, container.image);
    const names = reference === undefined ? [] : [reference];
    return storeImage(paths, source, names, { shown: container.image, choice: { platform: undefined }, signal: options.signal });
  });
  if (image === undefined) throw new RootlessError({ code: 'CHANGES_UNREADABLE', exit: 1, message: `container "${name}" made no image` });
  tellContainer(paths, container, 'commit', { imageID: image.id, ...(reference === undefined ? {} : { imageRef: reference }) });
  return image.id;
}

type Packed = { readonly diffId: string; readonly digest: string; readonly blobSize: number };

/** The blob stands under its name when this returns; the lease keeps it there. */
async function packLayer(paths: Paths, container: Listed, epoch: number | undefined): Promise<NewLayer> {
  const folder = join(imagesFolder(paths), 'blobs/sha256');
  makeFolders(folder);
  const temporary = temporaryName(join(folder, 'layer'));
  try {
    const clamp = epoch === undefined ? [] : ['--epoch', String(epoch)];
    const result = await runHelper(paths, ['pack', ...treeArgs(paths, container), '--to', temporary, ...clamp, container.id]);
    if (result.code !== 0) throw explainPack(result, container);
    const packed = JSON.parse(result.stdout) as Packed;
    const [diffId, digest] = [parseDigest(packed.diffId), parseDigest(packed.digest)];
    if (diffId === undefined || digest === undefined) throw explainPack(result, container);
    renameSync(temporary, blobFile(paths, digest));
    return { diffId, digest, size: packed.blobSize, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip' };
  } finally {
    rmSync(temporary, { force: true });
  }
}
