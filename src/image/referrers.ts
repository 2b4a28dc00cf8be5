/** What is attached to an image: signatures, inventories (distribution-spec, "Listing Referrers"), by API or, where it is missing, by tag. */

import { readLimited } from './auth.ts';
import type { Digest, Expected } from './digest.ts';
import { list, object, optionalText, parseJson } from './json.ts';
import { type Descriptor, manifestLimit, manifestTooLarge, mediaTypes, parseDescriptor } from './manifest.ts';
import { nextPage } from './pages.ts';
import type { Document } from './put-manifest.ts';
import type { Session } from './session.ts';

export type Referrer = Descriptor & { readonly artifactType: string | undefined };

/** More than this is no list of attachments. */
const mostPages = 1000;

/** All referrers of a digest, or those of one type. @throws RootlessError of the registry, REFERRERS_INVALID */
export async function listReferrers(session: Session, digest: Digest, artifactType?: string): Promise<Referrer[]> {
  const found: Referrer[] = [];
  const query = artifactType === undefined ? '' : `?${new URLSearchParams({ artifactType })}`;
  let target: string | URL | undefined = `referrers/${digest}${query}`;
  for (let page = 0; target !== undefined && page < mostPages; page += 1) {
    const response = await session.request(target, { headers: { accept: mediaTypes.ociIndex } });
    // The API is younger than most registries: then the list is an index under a tag that is made of the digest.
    if (page === 0 && response.statusCode === 404) {
      response.resume();
      return pick((await tagged(session, digest)).referrers, artifactType);
    }
    if (response.statusCode !== 200) throw await session.refusal(response);
    found.push(...read(await readLimited(response, manifestLimit), session));
    target = nextPage(response, session.base);
  }
  return pick(found, artifactType);
}

/** Keeps the list of the tag schema, which a registry without the API leaves to its clients. */
export async function addReferrer(session: Session, { bytes, digest, mediaType, contents }: Document, subject: Expected): Promise<void> {
  const { referrers, entries } = await tagged(session, subject.digest);
  if (referrers.some((known) => known.digest === digest)) return;
  const { annotations, config } = contents;
  const artifactType = contents.artifactType ?? config?.mediaType;
  const manifests = [...entries, { mediaType, digest, size: bytes.length, artifactType, annotations }];
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
  if (index.length > manifestLimit) throw manifestTooLarge(tagOf(subject.digest));
  const response = await session.request(`manifests/${tagOf(subject.digest)}`, {
    method: 'PUT',
    headers: { 'content-type': mediaTypes.ociIndex },
    body: index,
  });
  if (![200, 201, 202].includes(response.statusCode ?? 0)) throw await session.refusal(response);
  response.resume();
}

async function tagged(session: Session, digest: Digest): Promise<{ referrers: Referrer[]; entries: unknown[] }> {
  const response = await session.request(`manifests/${tagOf(digest)}`, { headers: { accept: mediaTypes.ociIndex } });
  if (response.statusCode === 404) {
    response.resume();
    return { referrers: [], entries: [] };
  }
  if (response.statusCode !== 200) throw await session.refusal(response);
  const bytes = await readLimited(response, manifestLimit);
  const entries = parseJson(bytes, 'REFERRERS_INVALID', what(session), (root) => list(root, 'manifests').map(({ value }) => value));
  return { referrers: read(bytes, session), entries };
}

function read(bytes: Uint8Array, session: Session): Referrer[] {
  return parseJson(bytes, 'REFERRERS_INVALID', what(session), (root) =>
    list(root, 'manifests').map((entry) => ({
      ...parseDescriptor(entry),
      artifactType: optionalText(object(entry.value, entry.at), 'artifactType'),
    })),
  );
}

/** A registry may filter or not; it says so, but looking again costs nothing. */
function pick(referrers: readonly Referrer[], artifactType: string | undefined): Referrer[] {
  const once = [...new Map(referrers.map((referrer) => [referrer.digest, referrer])).values()];
  return artifactType === undefined ? once : once.filter((referrer) => referrer.artifactType === artifactType);
}

/** `sha256-HEX`. */
export function tagOf(digest: Digest): string {
  return digest.replace(':', '-').slice(0, 128);
}

function what({ reference }: Session): string {
  return `list of referrers of "${reference.registry}/${reference.repository}"`;
}
