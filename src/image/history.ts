/** How an image was made: the history of its configuration (image-spec, config.md), beside the layers that each step left. */

import { readFileSync } from 'node:fs';
import type { Paths } from '../paths.ts';
import type { Digest } from './digest.ts';
import { list, object, optionalText, parseJson } from './json.ts';
import { readableBlob, readManifest, type StoredImage } from './store.ts';

export type Step = {
  /** Of the image for its last step; undefined for those before. */
  readonly id: Digest | undefined;
  /** RFC 3339, or undefined. */
  readonly created: string | undefined;
  readonly createdBy: string;
  readonly comment: string;
  /** Bytes of its layer as it is stored; 0 where it left none. */
  readonly size: number;
};

type Line = Omit<Step, 'id' | 'size'> & { readonly empty: boolean };

/** Newest first. Layers that no line speaks of have lines of their own. @throws the file's ENOENT when a blob was lost */
export function historyOf(paths: Paths, image: StoredImage): Step[] {
  const sizes = readManifest(paths, image).layers.map(({ size }) => size);
  const lines = readLines(readFileSync(readableBlob(paths, image.id)), image.name ?? image.id);
  const told = lines.filter(({ empty }) => !empty).length;
  const untold = sizes.slice(told).map((): Line => ({ created: undefined, createdBy: '', comment: '', empty: false }));
  let layer = 0;
  const steps = [...lines, ...untold].map(({ empty, ...line }) => ({ ...line, size: empty ? 0 : (sizes[layer++] ?? 0) }));
  return steps.map((step, at) => ({ id: at === steps.length - 1 ? image.id : undefined, ...step })).toReversed();
}

function readLines(config: Uint8Array, image: string): Line[] {
  return parseJson(config, 'CONFIG_INVALID', `configuration of image "${image}"`, (root) =>
    list(root, 'history').map(({ value, at }) => {
      const line = object(value, at);
      return {
        created: optionalText(line, 'created'),
        createdBy: optionalText(line, 'created_by') ?? '',
        comment: optionalText(line, 'comment') ?? '',
        empty: line.value['empty_layer'] === true,
      };
    }),
  );
}
