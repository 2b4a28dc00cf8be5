/** `--mount type=image`: the files of another image, as they are or under a throwaway overlay. */

import { join } from 'node:path';
import { parseImageSource } from '../image/reference.ts';
import { resolveImage, type ResolveOptions } from '../image/resolve.ts';
import type { MountBacking } from './mounts.ts';
import type { Mapping } from './options.ts';

/** @throws RootlessError IMAGE_NOT_FOUND, and what resolving and unpacking throw */
export async function backImage(
  source: string,
  mapping: Mapping,
  upper: { readonly upper: string; readonly work: string } | undefined,
  resolving: ResolveOptions,
): Promise<MountBacking> {
  const image = await resolveImage(parseImageSource(source), { ...resolving, mapping });
  if (image.kind === 'host') return { kind: 'path', source: '/', options: ['ro'] };
  const lower = image.kind === 'rootfs' ? [image.dir] : (image.layers?.lower ?? []).map((name) => join(image.layers?.base ?? '', name));
  // The kernel stacks two folders at least.
  const [only, ...more] = lower;
  if (only !== undefined && more.length === 0 && upper === undefined) return { kind: 'path', source: only };
  return { kind: 'layers', lower, ...upper };
}
