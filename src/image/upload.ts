/** One blob on its way into a registry (distribution-spec, "Pushing blobs"): asked for first, mounted if possible, else sent and resumed. */

import { RootlessError } from '../errors.ts';
import type { Expected } from './digest.ts';
import { hasBlob } from './remote-blob.ts';
import type { Session } from './session.ts';
import { type Location, locate } from './upload-location.ts';
import { cancel, Upload, type UploadOptions } from './upload-session.ts';

export type Outcome = { readonly kind: 'exists' } | { readonly kind: 'mounted'; readonly from: string } | { readonly kind: 'pushed' };

/** More repositories are not asked: the bytes are here. */
const mounts = 3;

/** @throws RootlessError of the registry, DIGEST_MISMATCH, and what `open` throws */
export async function uploadBlob(session: Session, blob: Expected, options: UploadOptions): Promise<Outcome> {
  const { signal = session.signal } = options;
  if (await hasBlob(session, blob, signal)) return { kind: 'exists' };
  let location: Location | undefined;
  for (const from of options.origins?.slice(0, mounts) ?? []) {
    if (location !== undefined) await cancel(session, location.url, signal);
    const answer = await mount(session, blob, from, signal);
    if (answer === 'mounted') return { kind: 'mounted', from };
    location = answer;
  }
  await new Upload(session, blob, { ...options, signal }, location).run();
  return { kind: 'pushed' };
}

/** Asks the registry to take the blob from another of its repositories; a registry that cannot begins an upload instead. */
async function mount(
  session: Session,
  { digest }: Expected,
  from: string,
  signal?: AbortSignal,
): Promise<Location | 'mounted' | undefined> {
  const query = new URLSearchParams({ mount: digest, from });
  try {
    const response = await session.request(`blobs/uploads/?${query}`, { method: 'POST', scopes: [`repository:${from}:pull`], signal });
    response.resume();
    if (response.statusCode === 201) return 'mounted';
    return response.statusCode === 202 ? locate(session, response) : undefined;
  } catch (cause) {
    // A login that may not read the other repository is no reason to fail: the bytes are here.
    if (cause instanceof RootlessError && /^REGISTRY_(UNAUTHORIZED|DENIED|AUTH_FAILED)$/.test(cause.code)) return undefined;
    throw cause;
  }
}
