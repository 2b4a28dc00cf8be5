/** The library: what the command line can do, for programs. Nothing here prints, reads argv or exits. */

import { parsePlatform } from './image/platform.ts';
import { parseImageSource } from './image/reference.ts';
import { type ImageFacts, imageFacts } from './image/facts.ts';
import { RootlessError } from './errors.ts';
import { findPaths, type Paths } from './paths.ts';
import { searchPath } from './programs.ts';
import type { RunContext } from './runtime/context.ts';
import { run as runContainer } from './runtime/lifecycle.ts';
import { type ContainerOptions, defaults } from './runtime/options.ts';
import { findContainer, type Listed, listContainers } from './runtime/state.ts';
import { chooseMapping } from './userns/choose.ts';
import { readHost } from './userns/host.ts';
import { type DocumentKind, type Problem, validate as validateDocument } from './wasm/validate.ts';

export { type ErrorFacts, RootlessError } from './errors.ts';
export type { Progress, ProgressEvent } from './image/progress.ts';
export { findPaths, type Paths } from './paths.ts';
export {
  type ContainerOptions,
  type DeviceRequest,
  defaults,
  type HostEntry,
  type Limits,
  type MountRequest,
  type PortRequest,
  type UsernsRequest,
} from './runtime/options.ts';
export type { Exit, Status } from './runtime/state.ts';
export type { Health, Life } from './runtime/status.ts';
export type { DocumentKind, ImageFacts, Listed as Container, Problem };

/** Only the image must be named; everything else has docker's default (`defaults`). */
export type RunRequest = Pick<ContainerOptions, 'image'> & Partial<ContainerOptions>;

/** Where things are and who is told; all of it optional. */
export type RunSurroundings = Partial<RunContext>;

export type PullRequest = {
  /** `OS/ARCH[/VARIANT]`; this machine's without it. */
  readonly platform?: string | undefined;
  readonly tlsVerify?: boolean | undefined;
} & Pick<RunSurroundings, 'paths' | 'searchPath' | 'progress' | 'signal'>;

/**
 * Runs a container with this process's standard streams and waits for its end.
 * @returns the program's exit code, or 128 + the signal that ended it
 * @throws RootlessError with a stable `code` for whatever failed before the program ran
 */
export function run(request: RunRequest, surroundings: RunSurroundings = {}): Promise<number> {
  const context = { paths: findPaths(), searchPath: searchPath(process.env), pull: 'missing' as const, ...surroundings };
  return runContainer({ ...defaults, ...request }, context);
}

/**
 * Fetches an image of a registry and unpacks its layers.
 * @returns its canonical name and the digest of its configuration (docker's image id)
 * @throws RootlessError IMAGE_NOT_FOUND, REGISTRY_UNREACHABLE, DIGEST_MISMATCH, …
 */
export async function pull(reference: string, request: PullRequest = {}): Promise<{ readonly name: string; readonly id: string }> {
  const source = parseImageSource(reference);
  if (source.kind !== 'registry') {
    throw new RootlessError({ code: 'REFERENCE_INVALID', message: `cannot pull "${reference}": it is not in a registry` });
  }
  const { pull: fetchImage } = await import('./image/transfer.ts');
  const { platform, tlsVerify, progress, signal } = request;
  const { name, id } = await fetchImage(source, {
    paths: request.paths ?? findPaths(),
    platform: platform === undefined ? undefined : parsePlatform(platform),
    tlsVerify,
    progress,
    signal,
    mapping: chooseMapping({ kind: 'host' }, readHost(request.searchPath ?? searchPath(process.env))),
  });
  return { name, id };
}

/** The images of the store. */
export function listImages(paths: Paths = findPaths()): readonly ImageFacts[] {
  return imageFacts(paths);
}

/** All containers, newest first. */
export function list(paths: Paths = findPaths()): readonly Listed[] {
  return listContainers(paths);
}

/** One container by name, id or unique beginning of an id. @throws RootlessError CONTAINER_NOT_FOUND */
export function find(wanted: string, paths: Paths = findPaths()): Listed {
  return findContainer(paths, wanted);
}

/**
 * All problems of a document of the OCI (runtime-spec config, image manifest, index, config, layout) or of a seccomp profile.
 * @throws RootlessError VALIDATOR_MISSING
 */
export function validate(kind: DocumentKind, json: string, paths: Paths = findPaths()): readonly Problem[] {
  return validateDocument(kind, json, paths);
}
