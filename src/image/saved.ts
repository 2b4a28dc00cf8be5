/** manifest.json of `docker save`: which images an archive holds, in its old form and its new. */

import { configLimit } from './config.ts';
import { checkBytes, digestOf, hexOf } from './digest.ts';
import type { ImageFiles } from './files.ts';
import { list, object, parseJson, requiredText, texts } from './json.ts';
import { manifestLimit } from './manifest.ts';

/** Names of members of the archive, and of the image. */
export type SavedImage = { readonly config: string; readonly tags: readonly string[]; readonly layers: readonly string[] };

/** @throws RootlessError MANIFEST_INVALID, LAYOUT_INVALID */
export function readSaved(files: ImageFiles): SavedImage[] {
  const text = `{"images":${files.read('manifest.json', manifestLimit).toString('utf8')}}`;
  return parseJson(text, 'MANIFEST_INVALID', `manifest.json of "${files.shown}"`, (root) =>
    list(root, 'images').map(({ value, at }) => {
      const image = object(value, at);
      return { config: requiredText(image, 'Config'), tags: texts(image, 'RepoTags'), layers: texts(image, 'Layers') };
    }),
  );
}

/** Every version names the configuration after its digest: checked where it does. @throws RootlessError DIGEST_MISMATCH */
export function readSavedConfig(files: ImageFiles, name: string): Buffer {
  const bytes = files.read(name, configLimit);
  const named = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/.exec(name)?.[1];
  if (named !== undefined && named !== hexOf(digestOf(bytes))) checkBytes(bytes, { digest: `sha256:${named}`, size: bytes.length });
  return bytes;
}
