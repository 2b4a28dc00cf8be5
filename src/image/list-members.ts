/** What goes into a list: manifests of images here or in a registry, with the platforms that their configurations say. */

import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import { addBytes } from './blobs.ts';
import { parseDigest } from './digest.ts';
import { findStored } from './find.ts';
import type { ImageList, ListEntry } from './lists.ts';
import type { Platform } from './platform.ts';
import { platformImages } from './platforms.ts';
import { parseReference } from './reference.ts';
import type { RegistrySettings } from './session.ts';
import { listImages } from './store.ts';
import { openTransport, parseTransport } from './transport.ts';

export type Members = { readonly entries: readonly ListEntry[]; readonly origin: string | undefined };

export type MemberOptions = {
  readonly all: boolean;
  readonly platform: Platform | undefined;
  readonly registry: RegistrySettings;
  readonly signal?: AbortSignal | undefined;
};

/** What a name stands for: here first, then in its registry. Small documents are stored, layers are not fetched. */
export async function membersOf(paths: Paths, text: string, options: MemberOptions): Promise<Members> {
  const isHere = !text.includes('//') && findStored(listImages(paths), text) !== undefined;
  const place = parseTransport(isHere || /^[a-z-]+:(\/\/|[./])/.test(text) ? text : `docker://${text}`);
  using opened = await openTransport(paths, place, options);
  const choice = options.all ? { present: opened.has } : { platform: options.platform };
  const images = await platformImages(opened.source, text, choice);
  const entries = images.map(({ descriptor, bytes, manifest, config, configBytes }): ListEntry => {
    addBytes(paths, manifest.config, configBytes);
    addBytes(paths, descriptor, bytes);
    const { os, architecture, variant } = config.platform;
    const platform = { architecture, os, ...(variant === undefined ? {} : { variant }) };
    return { mediaType: manifest.mediaType, digest: descriptor.digest, size: descriptor.size, platform };
  });
  return { entries, origin: place.kind === 'registry' ? place.reference.name : opened.names[0] };
}

/** A digest that is there already is replaced; one platform may come several times. */
export function withMembers(list: ImageList, { entries, origin }: Members): ImageList {
  const added = new Set(entries.map(({ digest }) => digest));
  const origins = origin === undefined ? {} : Object.fromEntries(entries.map(({ digest }) => [digest, origin]));
  return {
    ...list,
    entries: [...list.entries.filter(({ digest }) => !added.has(digest)), ...entries],
    origins: { ...list.origins, ...origins },
  };
}

/** By digest, or by the name that it was added by. @throws RootlessError LIST_ENTRY_MISSING */
export function entryOf({ name, entries, origins }: ImageList, text: string): ListEntry {
  const digest = parseDigest(text.slice(text.indexOf('@') + 1));
  const wanted = digest === undefined ? nameOf(text) : undefined;
  const found = entries.filter((entry) => entry.digest === digest || (wanted !== undefined && origins[entry.digest] === wanted));
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  throw new RootlessError({
    code: 'LIST_ENTRY_MISSING',
    message: found.length > 1 ? `"${text}" stands for ${found.length} entries of "${name}"` : `"${name}" has no entry "${text}"`,
    why: `its entries are ${entries.map(({ digest: known }) => known).join(', ') || 'none'}`,
    exit: 1,
  });
}

function nameOf(text: string): string | undefined {
  try {
    return parseReference(text.replace(/^docker:\/\//, '')).name;
  } catch {
    return undefined;
  }
}
