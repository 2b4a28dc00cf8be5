/** What `rmi` takes away: pure decisions by docker's rules, on the entries of the index and the containers that use them. */

import { RootlessError } from '../errors.ts';
import { type Digest, hexOf } from './digest.ts';
import { namedShort, noSuchImage, referenceOf } from './find.ts';
import { distance, type Platform, platformNotFound } from './platform.ts';
import { familiarName, parseReference, type RegistryReference } from './reference.ts';
import { findById, repositoryOf, type StoredImage } from './store.ts';
import { isTagged } from './store-write.ts';

/** A container that was made from an image. */
export type ImageUse = { readonly imageId: string; readonly containerId: string; readonly name: string; readonly running: boolean };

export type Removal = {
  /** What stays. */
  readonly images: readonly StoredImage[];
  /** Names that went, as people type them. */
  readonly untagged: readonly string[];
  /** Ids that no entry has any more. */
  readonly deleted: readonly Digest[];
};

type Rules = {
  readonly force: boolean;
  readonly uses: readonly ImageUse[];
  /** Only these of a name for several; empty is all. */
  readonly platforms?: readonly Platform[];
};

/** @throws RootlessError IMAGE_NOT_FOUND, IMAGE_IN_USE, IMAGE_HAS_NAMES */
export function planRemoval(images: readonly StoredImage[], wanted: string, rules: Rules): Removal {
  const { platforms = [] } = rules;
  const [first] = platforms;
  const fits = ({ manifest }: StoredImage) =>
    platforms.length === 0 || platforms.some((platform) => manifest.platform !== undefined && distance(platform, manifest.platform) === 0);
  const all = namedBy(images, referenceOf(wanted));
  const named = all.filter(fits);
  if (all.length > 0 && named.length === 0 && first !== undefined)
    throw platformNotFound(
      first,
      all.flatMap(({ manifest }) => manifest.platform ?? []),
      wanted,
    );
  if (named.length > 0) return removeNames(images, named, wanted, rules);
  const id = (findById(images, wanted) ?? noSuchImage(wanted)).id;
  return removeId(images, id, rules);
}

/** Every platform of a tag; or what a repository has under a digest. */
export function namedBy(images: readonly StoredImage[], reference: RegistryReference | undefined): StoredImage[] {
  if (reference === undefined) return [];
  const { digest, name } = reference;
  if (digest === undefined) {
    const exact = images.filter((image) => image.name === name);
    return exact.length > 0 || findById(images, reference.typed ?? '') !== undefined ? exact : namedShort(images, reference);
  }
  const repository = `${reference.registry}/${reference.repository}`;
  return images.filter(
    (image) =>
      image.name !== undefined && repositoryOf(image.name) === repository && [image.source, image.manifest.digest].includes(digest),
  );
}

/** `alpine:3`, `alpine@sha256:…`. */
export function familiarReference(name: string): string {
  const reference = parseReference(name);
  const { tag, digest } = reference;
  return `${familiarName(reference)}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** An image keeps what other names it has; the last one goes only if no container needs the image. */
function removeNames(images: readonly StoredImage[], named: readonly StoredImage[], wanted: string, { force, uses }: Rules): Removal {
  const left = images.filter((image) => !named.includes(image));
  const nameless = idsOf(named).filter((id) => !left.some((image) => image.id === id));
  const user = uses.find(({ imageId }) => nameless.some((id) => id === imageId));
  if (user !== undefined && !force)
    throw inUse(`unable to remove repository reference "${wanted}" (must force)`, user, `rootless rmi -f ${wanted}`);
  // Even by force a running container keeps its image, without a name.
  const kept = nameless.filter((id) => uses.some(({ imageId, running }) => running && imageId === id));
  const anonymous = named.filter(({ id }, at) => kept.includes(id) && named.findIndex((other) => other.id === id) === at);
  return {
    images: [...left, ...anonymous.map((image) => ({ ...image, name: undefined }))],
    untagged: namesOf(named),
    deleted: nameless.filter((id) => !kept.includes(id)),
  };
}

function removeId(images: readonly StoredImage[], id: Digest, { force, uses }: Rules): Removal {
  const entries = images.filter((image) => image.id === id);
  const short = hexOf(id).slice(0, 12);
  const users = uses.filter(({ imageId }) => imageId === id);
  const running = users.find((user) => user.running);
  if (running !== undefined) throw inUse(`unable to delete ${short} (cannot be forced)`, running);
  if (!force && entries.filter(isTagged).length > 1) {
    throw new RootlessError({
      code: 'IMAGE_HAS_NAMES',
      message: `conflict: unable to delete ${short} (must be forced): image is referenced in multiple repositories`,
      why: `its names are ${namesOf(entries).join(', ')}`,
      fix: `rootless rmi -f ${short} removes all of them`,
      exit: 1,
    });
  }
  if (users[0] !== undefined && !force) throw inUse(`unable to delete ${short} (must be forced)`, users[0], `rootless rmi -f ${short}`);
  return { images: images.filter((image) => image.id !== id), untagged: namesOf(entries), deleted: [id] };
}

function namesOf(entries: readonly StoredImage[]): string[] {
  return [...new Set(entries.flatMap(({ name }) => (name === undefined ? [] : [familiarReference(name)])))];
}

function idsOf(entries: readonly StoredImage[]): Digest[] {
  return [...new Set(entries.map(({ id }) => id))];
}

function inUse(what: string, { name, containerId, imageId, running }: ImageUse, force?: string): RootlessError {
  const state = running ? 'running' : 'stopped';
  return new RootlessError({
    code: 'IMAGE_IN_USE',
    message: `conflict: ${what}: container ${containerId.slice(0, 12)} is using its image ${imageId.replace(/^sha256:/, '').slice(0, 12)}`,
    why: `"${name}" is a ${state} container of it`,
    fix: [`rootless rm ${running ? '-f ' : ''}${name}`, ...(force === undefined ? [] : [force])].join(', or '),
    exit: 1,
  });
}
