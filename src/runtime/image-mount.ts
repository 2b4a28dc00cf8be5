/** `image mount`: an image's files on a folder, for the shell of `unshare` that asks. A user's mounts are seen nowhere else. */

import { readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { type HelperResult, type IdMapping, runHelper } from '../helper.ts';
import { type LayerMapping, layerFolder, layersFolder, missingLayers, stackOf } from '../image/layers.ts';
import { readConfig, type StoredImage } from '../image/store.ts';
import { makeFolders, type Paths } from '../paths.ts';
import { leaseLayers, mountsFolder } from './image-leases.ts';

export type MountedImage = { readonly id: string; readonly path: string };

/** @returns where. @throws RootlessError MOUNT_NEEDS_UNSHARE, LAYERS_NOT_UNPACKED, IMAGE_MOUNT_FAILED */
export async function mountImage(paths: Paths, image: StoredImage, shown: string): Promise<string> {
  const mapping = ownMapping();
  const folder = layersFolder(paths, mapping);
  const { diffIds } = readConfig(paths, image);
  const path = join(mountsFolder(paths), image.id.slice('sha256:'.length));
  leaseLayers(
    paths,
    path,
    diffIds.map((diffId) => layerFolder(folder, diffId)),
  );
  if (missingLayers(folder, diffIds).length > 0) {
    throw new RootlessError({
      code: 'LAYERS_NOT_UNPACKED',
      message: `the layers of "${shown}" are not unpacked for these ids`,
      fix: `rootless pull ${shown}, outside of this shell`,
      exit: 1,
    });
  }
  if (mountedImages(paths).some((mounted) => mounted.path === path)) return path;
  makeFolders(path, 0o700);
  const { base, lower } = stackOf(folder, diffIds);
  const result = await runHelper(paths, ['mount', '--base', base, '--to', path, ...lower]);
  if (result.code === 0) return path;
  throw failed(result, `cannot mount "${shown}"`);
}

/** @throws RootlessError IMAGE_MOUNT_FAILED */
export async function unmountImage(paths: Paths, { path }: MountedImage): Promise<void> {
  const result = await runHelper(paths, ['unmount', path]);
  if (result.code !== 0) throw failed(result, `cannot unmount "${path}"`);
  rmdirSync(path);
}

/** Those of this namespace. */
export function mountedImages(paths: Paths): MountedImage[] {
  const folder = `${mountsFolder(paths)}/`;
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))))
    .filter((path) => path.startsWith(folder))
    .map((path) => ({ path, id: `sha256:${path.slice(folder.length)}` }));
}

/** The map of this process, which in a shell of `unshare` is that of containers. @throws RootlessError MOUNT_NEEDS_UNSHARE */
export function ownMapping(read = (file: string) => readFileSync(file, 'utf8')): LayerMapping {
  const [uid, gid] = [extents(read('/proc/self/uid_map')), extents(read('/proc/self/gid_map'))];
  const whole = uid.some(({ size }) => size === 0xffff_ffff);
  if (whole || uid.every(({ containerID }) => containerID !== 0)) {
    throw new RootlessError({
      code: 'MOUNT_NEEDS_UNSHARE',
      message: 'cannot mount an image here: a mount of a user is seen in the namespace that made it only',
      fix: 'rootless unshare, and in its shell rootless image mount',
      exit: 1,
    });
  }
  const ids = uid.reduce((sum, { size }) => sum + size, 0);
  return { idMap: { uid, gid }, mode: ids > 1 ? 'ranges' : 'single' };
}

function extents(text: string): IdMapping[] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([containerID = 0, hostID = 0, size = 0]) => ({ containerID, hostID, size }));
}

function failed({ failure, stderr }: HelperResult, message: string): RootlessError {
  const why = [failure?.step, failure?.target, failure?.errno, failure?.message].filter(Boolean).join(': ') || stderr.trim();
  return new RootlessError({ code: 'IMAGE_MOUNT_FAILED', message, why, exit: 1, cause: failure });
}
