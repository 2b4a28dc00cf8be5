/** What `inspect` shows of an image: its manifest and configuration under docker's names. */

import { readFileSync } from 'node:fs';
import { findStored } from '../image/find.ts';
import type { Platform } from '../image/platform.ts';
import { familiarReference } from '../image/removal.ts';
import { listImages, readableBlob, readImage, type StoredImage } from '../image/store.ts';
import { byDigest, isTagged } from '../image/store-write.ts';
import type { Paths } from '../paths.ts';
import type { Row } from './format.ts';

/** Undefined when the store has no such image. */
export function inspectImage(paths: Paths, name: string, platform?: Platform): Row | undefined {
  const images = listImages(paths);
  const image = findStored(images, name, platform);
  return image === undefined ? undefined : imageRow(paths, image, images);
}

function imageRow(paths: Paths, image: StoredImage, images: readonly StoredImage[]): Row {
  const { manifest, config } = readImage(paths, image);
  const own = images.filter(({ id }) => id === image.id);
  const raw = JSON.parse(readFileSync(readableBlob(paths, image.id), 'utf8')) as Row;
  const { platform } = config;
  const size = manifest.layers.reduce((sum, layer) => sum + layer.size, manifest.config.size + image.manifest.size);
  return {
    Id: image.id,
    RepoTags: names(own.filter(isTagged).map(({ name }) => name)),
    RepoDigests: names(own.map(byDigest)),
    Parent: '',
    Comment: textOf(lastStep(raw), 'comment'),
    Created: config.created ?? '',
    DockerVersion: textOf(raw, 'docker_version'),
    Author: textOf(raw, 'author'),
    ContainerConfig: { ...noContainer, ...((raw['container_config'] ?? {}) as Row) },
    Config: runConfig(raw, config),
    Architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { Variant: platform.variant }),
    Os: platform.os,
    ...(typeof raw['os.version'] === 'string' ? { OsVersion: raw['os.version'] } : {}),
    Size: size,
    VirtualSize: size,
    RootFS: { Type: 'layers', Layers: config.diffIds },
    Digest: image.source,
    Manifest: { Digest: image.manifest.digest, MediaType: manifest.mediaType, Layers: manifest.layers },
  };
}

/** Of the container that the last step of a build was made in: only old builders wrote it down. */
const noContainer: Row = {
  Hostname: '',
  User: '',
  Env: null,
  Cmd: null,
  Image: '',
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};

/** docker's fields; what is empty is null, or left out, as there. */
function runConfig(raw: Row, config: ReturnType<typeof readImage>['config']): Row {
  const own = (raw['config'] ?? {}) as Row;
  const set = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, {}]));
  const optional = (key: string) => (own[key] === undefined || own[key] === null ? {} : { [key]: own[key] });
  return {
    Hostname: textOf(own, 'Hostname'),
    User: config.user,
    ...(config.exposedPorts.length === 0 ? {} : { ExposedPorts: set(config.exposedPorts) }),
    Env: config.env.length === 0 ? null : config.env,
    Cmd: config.cmd.length === 0 ? null : config.cmd,
    ...optional('Healthcheck'),
    Volumes: config.volumes.length === 0 ? null : set(config.volumes),
    WorkingDir: config.workingDir,
    Entrypoint: config.entrypoint.length === 0 ? null : config.entrypoint,
    OnBuild: own['OnBuild'] ?? null,
    Labels: Object.keys(config.labels).length === 0 ? null : config.labels,
    ...(config.stopSignal === undefined ? {} : { StopSignal: config.stopSignal }),
    ...optional('Shell'),
  };
}

function names(canonical: readonly (string | undefined)[]): string[] {
  return [...new Set(canonical.flatMap((name) => (name === undefined ? [] : [familiarReference(name)])))];
}

function lastStep({ history }: Row): Row {
  const last: unknown = Array.isArray(history) ? history.at(-1) : undefined;
  return typeof last === 'object' && last !== null ? (last as Row) : {};
}

function textOf(from: Row, key: string): string {
  const value = from[key];
  return typeof value === 'string' ? value : '';
}
