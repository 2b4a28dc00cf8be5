/** The last step of a push (distribution-spec, "Pushing manifests"): the document that gives everything before it a name. */

import { RootlessError } from '../errors.ts';
import { type Digest, parseDigest } from './digest.ts';
import type { Contents } from './manifest.ts';
import { addReferrer } from './referrers.ts';
import type { Session } from './session.ts';

export type Document = {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly contents: Contents;
  /** A tag, or the digest. */
  readonly name: string;
};

/** @throws RootlessError MANIFEST_REFUSED, DIGEST_MISMATCH, and those of a refusing registry */
export async function putManifest(session: Session, document: Document): Promise<void> {
  const { bytes, digest, mediaType, name } = document;
  const response = await session.request(`manifests/${name}`, { method: 'PUT', headers: { 'content-type': mediaType }, body: bytes });
  const status = response.statusCode ?? 0;
  if (status === 400 || status === 415) throw await notTaken(session, await session.refusal(response), mediaType);
  if (![200, 201, 202].includes(status)) throw await session.refusal(response);
  response.resume();
  const stored = parseDigest(String(response.headers['docker-content-digest'] ?? ''));
  if (stored?.startsWith('sha256:') && stored !== digest) {
    throw new RootlessError({
      code: 'DIGEST_MISMATCH',
      message: `registry "${session.endpoint.registry}" stored another manifest than was sent`,
      why: `it has the digest ${stored}, ours has ${digest}`,
    });
  }
  const { subject } = document.contents;
  if (subject !== undefined && response.headers['oci-subject'] === undefined) await addReferrer(session, document, subject);
}

function notTaken(session: Session, { why }: RootlessError, mediaType: string): RootlessError {
  return new RootlessError({
    code: 'MANIFEST_REFUSED',
    message: `registry "${session.endpoint.registry}" does not accept the manifest of "${session.reference.name}"`,
    why: why ?? `it may not know "${mediaType}"`,
    fix: mediaType.includes('.oci.') ? "an old registry may want docker's words: --format docker" : undefined,
  });
}
