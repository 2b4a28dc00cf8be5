/** What `inspect` shows of an image: its manifest and configuration under docker's names. */

import { RootlessError } from '../errors.ts';
import { parseImageSource } from '../image/reference.ts';
import { findById, findImage, listImages, readImage, type StoredImage } from '../image/store.ts';
import { isTagged } from '../image/store-write.ts';
import type { Paths } from '../paths.ts';
import type { Row } from './format.ts';

/** Undefined when the store has no such image. */
export function inspectImage(paths: Paths, name: string): Row | undefined {
  const images = listImages(paths);
  const image = findNamed(images, name) ?? findById(images, name);
  if (image === undefined) return undefined;
  const { manifest, config } = readImage(paths, image);
  const { platform } = config;
  return {
    Id: image.id,
    RepoTags: images.filter((other) => other.id === image.id && isTagged(other)).map(({ name: tag }) => tag),
    RepoDigests: [image.name === undefined ? '' : `${image.name.replace(/(@.*|:[^:/]*)$/, '')}@${image.source}`],
    Created: config.created ?? '',
    Architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { Variant: platform.variant }),
    Os: platform.os,
    Size: manifest.layers.reduce((sum, layer) => sum + layer.size, manifest.config.size + image.manifest.size),
    Config: {
      User: config.user,
      ExposedPorts: Object.fromEntries(config.exposedPorts.map((port) => [port, {}])),
      Env: config.env,
      Entrypoint: config.entrypoint,
      Cmd: config.cmd,
      Volumes: Object.fromEntries(config.volumes.map((path) => [path, {}])),
      WorkingDir: config.workingDir,
      Labels: config.labels,
      StopSignal: config.stopSignal ?? '',
    },
    RootFS: { Type: 'layers', Layers: config.diffIds },
    Manifest: { Digest: image.manifest.digest, MediaType: manifest.mediaType, Layers: manifest.layers },
  };
}

function findNamed(images: readonly StoredImage[], name: string): StoredImage | undefined {
  try {
    const source = parseImageSource(name);
    return source.kind === 'registry' ? findImage(images, source) : undefined;
  } catch (error) {
    if (error instanceof RootlessError) return undefined;
    throw error;
  }
}
