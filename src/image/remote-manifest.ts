/** Manifests of a registry: read whole, but never more than one may have; a tag that is missing is explained. */

import type { IncomingMessage } from 'node:http';
import { RootlessError } from '../errors.ts';
import { readLimited } from './auth.ts';
import { list, parseJson } from './json.ts';
import { manifestLimit, manifestTooLarge, mediaTypes } from './manifest.ts';
import { tagNotFound } from './registry-error.ts';
import { attempts } from './retry.ts';
import type { Session } from './session.ts';

const manifestTypes = Object.values(mediaTypes).join(', ');

/** By tag or digest. @throws RootlessError IMAGE_NOT_FOUND, TAG_NOT_FOUND, MANIFEST_TOO_LARGE, BODY_TRUNCATED, … */
export async function fetchManifest(session: Session, which: string): Promise<Buffer> {
  for (let failures = 0; ; failures += 1) {
    const response = await session.get(`manifests/${which}`, { accept: manifestTypes });
    if (response.statusCode === 404) throw await explainMissing(session, response);
    if (response.statusCode !== 200) throw await session.refusal(response);
    try {
      return await readWhole(response, session.reference.name);
    } catch (cause) {
      session.signal?.throwIfAborted();
      if (cause instanceof RootlessError) throw cause;
      if (failures + 1 >= attempts) throw truncated(session.reference.name, cause as Error);
      await session.pause(failures);
    }
  }
}

/** Never more than a manifest may have, whatever is announced. */
async function readWhole(response: IncomingMessage, name: string): Promise<Buffer> {
  if (Number(response.headers['content-length'] ?? 0) > manifestLimit) {
    response.destroy();
    throw manifestTooLarge(name);
  }
  const bytes = await readLimited(response, manifestLimit);
  if (bytes.length > manifestLimit) throw manifestTooLarge(name);
  return bytes;
}

function truncated(name: string, cause: Error): RootlessError {
  return new RootlessError({ code: 'BODY_TRUNCATED', message: `the manifest of "${name}" ended too early`, why: cause.message, cause });
}

/** A 404 for a manifest says little; the list of tags tells a wrong tag from a wrong name. */
async function explainMissing(session: Session, response: IncomingMessage): Promise<RootlessError> {
  const missing = await session.refusal(response);
  const tags = await session.get('tags/list', {}).catch(() => undefined);
  if (tags === undefined) return missing;
  const body = await readLimited(tags, manifestLimit).catch(() => Buffer.alloc(0));
  if (tags.statusCode !== 200) return missing;
  try {
    const names = parseJson(body, 'TAGS', 'tags', (root) =>
      list(root, 'tags').flatMap(({ value }) => (typeof value === 'string' && /^\w[\w.-]{0,127}$/.test(value) ? [value] : [])),
    );
    return tagNotFound(session.reference, names);
  } catch {
    return missing;
  }
}
