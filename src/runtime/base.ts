/** What a container is made on, pinned when it is created: layers of an image, a folder, or this machine's own files. */

import type { Digest } from '../image/digest.ts';
import { parseImageSource } from '../image/reference.ts';
import { type Image, type ResolveOptions, resolveImage } from '../image/resolve.ts';
import { layersFolder, missingLayers, otherFolders, stackOf } from '../image/layers.ts';
import type { Paths } from '../paths.ts';
import type { ContainerOptions, Mapping } from './options.ts';
import type { ImageDefaults } from './process.ts';
import type { Layers } from './root.ts';

export type Base =
  | {
      readonly kind: 'layers';
      /** Digest of the image's configuration. */
      readonly id: Digest;
      /** Canonical name; undefined for images that are not in the store. */
      readonly reference: string | undefined;
      readonly diffIds: readonly Digest[];
      readonly defaults: ImageDefaults;
    }
  | { readonly kind: 'rootfs'; readonly dir: string }
  | { readonly kind: 'host' };

export function baseOf(image: Image): Base {
  if (image.kind !== 'layers') return image;
  const { id, reference, diffIds, config } = image;
  const { entrypoint, cmd, env, user, workingDir, volumes, stopSignal, labels, healthcheck, exposedPorts } = config;
  return {
    kind: 'layers',
    id,
    reference,
    diffIds,
    defaults: { entrypoint, cmd, env, user, workingDir, volumes, stopSignal, labels, healthcheck, exposedPorts },
  };
}

/** `host:` begins with the caller's home. */
export function defaultsOf(base: Base, paths: Paths): ImageDefaults {
  if (base.kind === 'layers') return base.defaults;
  const shell = { ...noDefaults, cmd: ['/bin/sh'] };
  return base.kind === 'rootfs' ? shell : { ...shell, env: [`HOME=${paths.home}`] };
}

const noDefaults: ImageDefaults = {
  entrypoint: [],
  cmd: [],
  env: [],
  user: '',
  workingDir: '',
  volumes: [],
  stopSignal: undefined,
  labels: {},
};

/** `host:` begins where the caller is; folders that the container has for itself are not there. */
export function withPlace(options: ContainerOptions, base: Base): ContainerOptions {
  if (base.kind !== 'host' || options.workdir !== undefined) return options;
  const here = process.cwd();
  return { ...options, workdir: /^\/(proc|sys|dev|run|tmp)(\/|$)/.test(here) ? '/' : here };
}

/**
 * The unpacked layers. Those that are missing, since somebody pruned them, are unpacked again.
 * @throws RootlessError IMAGE_NOT_FOUND when the image is gone too
 */
export async function layersOf(base: Base, image: string, mapping: Mapping, resolving: ResolveOptions): Promise<Layers> {
  if (base.kind === 'rootfs') return { base: '/', lower: [base.dir] };
  if (base.kind === 'host') return { base: '/', lower: [] };
  const folder = layersFolder(resolving.paths, mapping);
  const others = otherFolders(resolving.paths, mapping);
  if (missingLayers(folder, base.diffIds, others).length > 0) {
    const source = base.reference === undefined ? image : base.id;
    await resolveImage(parseImageSource(source), { ...resolving, mapping });
  }
  return stackOf(folder, base.diffIds, others);
}
