/** An image of one layer from a tar of a root filesystem. */

import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { fileReason } from '../errno.ts';
import { RootlessError } from '../errors.ts';
import { runHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import type { BlobSource } from './blob-source.ts';
import { addUnknown, lease } from './blobs.ts';
import { type Digest, digestOf } from './digest.ts';
import { explainDisk } from './disk.ts';
import { compressionOfFile, inflate } from './inflate.ts';
import { mediaTypes } from './manifest.ts';
import { hostPlatform, type Platform } from './platform.ts';
import { spoolInput, spoolUrl, whole } from './spool.ts';
import { blobFile } from './store.ts';
import { storeImage } from './store-image.ts';
import { tagName } from './tag.ts';
import { block, checkHeader } from './tar-header.ts';

export type ImportOptions = {
  /** A new name; without it the image is known by its id. */
  readonly name: string | undefined;
  /** `config` of the image configuration. */
  readonly config: object;
  readonly message: string | undefined;
  readonly platform: Platform | undefined;
  /** RFC 3339. */
  readonly created: string;
  readonly signal?: AbortSignal | undefined;
};

/** @param from  a file, a URL, or `-` for standard input. @returns the image's id. @throws RootlessError ARCHIVE_…, DOWNLOAD_FAILED, … */
export async function importImage(paths: Paths, from: string, options: ImportOptions): Promise<Digest> {
  const name = options.name === undefined ? [] : [tagName(options.name)];
  const { signal } = options;
  const isUrl = /^https?:\/\//.test(from);
  using fetched = isUrl ? await spoolUrl(paths, from, signal) : await spoolInput(paths, from === '-' ? undefined : from, signal);
  const kind = compressionOfFile(fetched.file);
  const shown = from === '-' ? 'standard input' : from;
  using plain = kind === undefined ? whole(fetched.file) : await inflate(paths, fetched.file, kind, shown, signal);
  checkTar(plain.file, shown);
  using _lease = lease(paths);
  const layer = await addUnknown(paths, createReadStream(plain.file, { highWaterMark: 1 << 18 })).catch((cause: unknown) => {
    throw explainDisk(cause, paths);
  });
  await checkWhole(paths, layer.digest, shown, signal);
  const source = imageOf(paths, layer, { ...options, message: options.message ?? `Imported from ${from}` });
  const [image] = await storeImage(paths, source, name, { shown, choice: { platform: undefined }, signal });
  return image?.id ?? layer.digest;
}

/** @throws RootlessError ARCHIVE_NOT_FOUND, ARCHIVE_INVALID */
function checkTar(file: string, shown: string): void {
  const header = Buffer.alloc(block);
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (cause) {
    throw new RootlessError({
      code: 'ARCHIVE_NOT_FOUND',
      message: `cannot open "${shown}"`,
      why: fileReason(cause),
      exit: 1,
      cause,
    });
  }
  try {
    readSync(fd, header, 0, block, 0);
  } finally {
    closeSync(fd);
  }
  if (!header.every((byte) => byte === 0)) checkHeader(header, shown, 0);
}

async function checkWhole(paths: Paths, layer: Digest, shown: string, signal: AbortSignal | undefined): Promise<void> {
  const { code, stderr } = await runHelper(paths, ['layer', 'ls', blobFile(paths, layer)], signal);
  if (code === 0) return;
  throw new RootlessError({
    code: 'ARCHIVE_INVALID',
    message: `"${shown}" is no whole tar archive`,
    why: stderr.trim().replace(/^.*?layer: /, ''),
  });
}

function imageOf(paths: Paths, layer: { readonly digest: Digest; readonly size: number }, options: ImportOptions): BlobSource {
  const { platform = hostPlatform(), created, config, message } = options;
  const configBytes = Buffer.from(
    JSON.stringify({
      created,
      ...(message === undefined ? {} : { comment: message }),
      architecture: platform.architecture,
      ...(platform.variant === undefined ? {} : { variant: platform.variant }),
      os: platform.os,
      config,
      rootfs: { type: 'layers', diff_ids: [layer.digest] },
      history: [{ created, comment: message }],
    }),
  );
  const descriptor = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(configBytes), size: configBytes.length };
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: descriptor,
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
  };
  return {
    root: Buffer.from(JSON.stringify(manifest)),
    mediaType: mediaTypes.ociManifest,
    open: (blob, from) =>
      blob.digest === descriptor.digest
        ? once(configBytes.subarray(from))
        : createReadStream(blobFile(paths, blob.digest), { start: from }),
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
