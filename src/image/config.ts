/** The image configuration (image-spec, config.md), typed. */

import type { Digest } from './digest.ts';
import { parseDigest } from './digest.ts';
import {
  type Fields,
  keys,
  list,
  optionalCount,
  optionalObject,
  optionalText,
  parseJson,
  requiredObject,
  requiredText,
  textMap,
  texts,
  wrong,
} from './json.ts';
import { normalize, type Platform } from './platform.ts';

/** Durations are nanoseconds, as docker writes them; 0 = inherit. */
export type Healthcheck = {
  /** `[]` inherit, `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", …]`. */
  readonly test: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
};

export type ImageConfig = {
  readonly platform: Platform;
  /** RFC 3339, or undefined. */
  readonly created: string | undefined;
  /** `user[:group]`; empty = root. */
  readonly user: string;
  /** `80/tcp`, … */
  readonly exposedPorts: readonly string[];
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly volumes: readonly string[];
  /** Empty = `/`. */
  readonly workingDir: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal: string | undefined;
  readonly healthcheck: Healthcheck | undefined;
  /** Digests of the uncompressed layers, bottom first. */
  readonly diffIds: readonly Digest[];
};

/** Configurations are read whole into memory: more than this is refused before it is fetched. */
export const configLimit = 8 * 1024 * 1024;

/** @throws RootlessError CONFIG_INVALID */
export function parseConfig(bytes: Uint8Array, image: string): ImageConfig {
  return parseJson(bytes, 'CONFIG_INVALID', `configuration of image "${image}"`, (root) => {
    const run = optionalObject(root, 'config') ?? { value: {}, at: '/config' };
    return {
      platform: normalize(requiredText(root, 'os'), requiredText(root, 'architecture'), optionalText(root, 'variant')),
      created: optionalText(root, 'created'),
      user: optionalText(run, 'User') ?? '',
      exposedPorts: keys(run, 'ExposedPorts'),
      env: texts(run, 'Env'),
      entrypoint: words(run, 'Entrypoint'),
      cmd: words(run, 'Cmd'),
      volumes: keys(run, 'Volumes'),
      workingDir: optionalText(run, 'WorkingDir') ?? '',
      labels: textMap(run, 'Labels'),
      stopSignal: optionalText(run, 'StopSignal') || undefined,
      healthcheck: readHealthcheck(optionalObject(run, 'Healthcheck')),
      diffIds: readDiffIds(requiredObject(root, 'rootfs')),
    };
  });
}

function readDiffIds(rootfs: Fields): Digest[] {
  if (requiredText(rootfs, 'type') !== 'layers') wrong('/rootfs/type', 'is not "layers"');
  return list(rootfs, 'diff_ids').map(
    ({ value, at }) => (typeof value === 'string' ? parseDigest(value) : undefined) ?? wrong(at, 'is not a sha256 or sha512 digest'),
  );
}

/** A list, or one word as very old images have it. */
function words(from: Fields, key: string): string[] {
  const value = from.value[key];
  return typeof value === 'string' ? [value] : texts(from, key);
}

function readHealthcheck(from: Fields | undefined): Healthcheck | undefined {
  if (from === undefined) return undefined;
  return {
    test: words(from, 'Test'),
    interval: optionalCount(from, 'Interval') ?? 0,
    timeout: optionalCount(from, 'Timeout') ?? 0,
    startPeriod: optionalCount(from, 'StartPeriod') ?? 0,
    startInterval: optionalCount(from, 'StartInterval') ?? 0,
    retries: optionalCount(from, 'Retries') ?? 0,
  };
}
