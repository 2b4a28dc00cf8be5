/** A registry as this program needs it (OCI distribution-spec, pull): manifests and blobs, with login, retries and resumption. */

import type { IncomingMessage } from 'node:http';
import { RootlessError } from '../errors.ts';
import { readLimited } from './auth.ts';
import { type Expected, sizeMismatch } from './digest.ts';
import { list, parseJson } from './json.ts';
import { manifestLimit, manifestTooLarge, mediaTypes } from './manifest.ts';
import type { RegistryReference } from './reference.ts';
import { endpointsFor } from './mirrors.ts';
import { tagNotFound } from './registry-error.ts';
import { attempts } from './retry.ts';
import { type RegistrySettings, Session } from './session.ts';

export type Registry = {
  /** The bytes of a manifest or index by tag or digest. @throws RootlessError IMAGE_NOT_FOUND, TAG_NOT_FOUND, MANIFEST_TOO_LARGE, … */
  manifest(which: string): Promise<Buffer>;
  /** The bytes of a blob, unverified; goes on where it was when the connection breaks. @throws RootlessError BODY_TRUNCATED, SIZE_MISMATCH, … */
  blob(blob: Expected, stop?: AbortSignal): AsyncGenerator<Buffer>;
  close(): void;
};

/** An attempt that brought this much was no failure: a wire that breaks every minute still carries any layer. */
const progress = 1 << 20;

const manifestTypes = Object.values(mediaTypes).join(', ');

/** Opens what the name leads to: mirrors of registries.conf are asked first, and the one that knows the image is used for all of it. */
export function openRegistry(reference: RegistryReference, settings: RegistrySettings, signal?: AbortSignal): Registry {
  const endpoints = endpointsFor(reference, settings.environment);
  const sessions = endpoints.map((endpoint) => new Session(reference, settings, signal, endpoint));
  let chosen = sessions.length === 1 ? sessions[0] : undefined;
  return {
    manifest: async (which) => {
      if (chosen !== undefined) return fetchManifest(chosen, which);
      const [session, bytes] = await firstOf(sessions, (one) => fetchManifest(one, which), signal);
      chosen = session;
      return bytes;
    },
    blob: (blob, stop) => fetchFromAny(inOrder(sessions, chosen), blob, stop ?? signal),
    close: () => {
      for (const session of sessions) session.http.close();
    },
  };
}

/** The first that succeeds. @throws the last failure, which is the registry's own, with those of its mirrors as reason */
async function firstOf<T>(
  sessions: readonly Session[],
  work: (session: Session) => Promise<T>,
  signal?: AbortSignal,
): Promise<[Session, T]> {
  const failures: RootlessError[] = [];
  for (const session of sessions) {
    try {
      return [session, await work(session)];
    } catch (cause) {
      signal?.throwIfAborted();
      if (!(cause instanceof RootlessError)) throw cause;
      failures.push(cause);
    }
  }
  const last = failures.at(-1) as RootlessError;
  const mirrors = failures.slice(0, -1).map(({ message, why }) => `a mirror failed too: ${[message, why].filter(Boolean).join(': ')}`);
  const { code, message, fix } = last;
  throw new RootlessError({ code, message, why: [last.why, ...mirrors].filter(Boolean).join('\n'), fix, cause: last });
}

function inOrder(sessions: readonly Session[], chosen: Session | undefined): readonly Session[] {
  return chosen === undefined ? sessions : [chosen, ...sessions.filter((session) => session !== chosen)];
}

/** A mirror may have the manifest and lack a layer: before the first byte the next one can take over. */
async function* fetchFromAny(sessions: readonly Session[], blob: Expected, stop: AbortSignal | undefined): AsyncGenerator<Buffer> {
  for (const [index, session] of sessions.entries()) {
    let begun = false;
    try {
      for await (const chunk of fetchBlob(session, blob, stop)) {
        begun = true;
        yield chunk;
      }
      return;
    } catch (cause) {
      stop?.throwIfAborted();
      if (begun || index === sessions.length - 1 || !(cause instanceof RootlessError)) throw cause;
    }
  }
}

async function fetchManifest(session: Session, which: string): Promise<Buffer> {
  const { reference } = session;
  const response = await session.get(`manifests/${which}`, { accept: manifestTypes });
  if (response.statusCode === 404) throw await explainMissing(session, response);
  if (response.statusCode !== 200) throw await session.refusal(response);
  if (Number(response.headers['content-length'] ?? 0) > manifestLimit) {
    response.destroy();
    throw manifestTooLarge(reference.name);
  }
  const bytes = await readLimited(response, manifestLimit).catch((cause: NodeJS.ErrnoException) => {
    session.signal?.throwIfAborted();
    throw new RootlessError({
      code: 'BODY_TRUNCATED',
      message: `the manifest of "${reference.name}" ended too early`,
      why: cause.message,
      cause,
    });
  });
  if (bytes.length > manifestLimit) throw manifestTooLarge(reference.name);
  return bytes;
}

async function* fetchBlob(session: Session, blob: Expected, stop: AbortSignal | undefined): AsyncGenerator<Buffer> {
  let at = 0;
  for (let failures = 0; at < blob.size || failures === 0; failures += 1) {
    const before = at;
    const response = await session.get(`blobs/${blob.digest}`, at === 0 ? {} : { range: `bytes=${at}-` }, stop);
    let skip = await startOf(session, response, blob, at);
    try {
      for await (const part of response as AsyncIterable<Buffer>) {
        const chunk = part.subarray(Math.min(skip, part.length));
        skip -= part.length - chunk.length;
        at += chunk.length;
        if (at > blob.size) throw sizeMismatch(blob, 'has more');
        if (chunk.length > 0) yield chunk;
      }
    } catch (cause) {
      stop?.throwIfAborted();
      if (cause instanceof RootlessError) throw cause;
    } finally {
      response.destroy();
    }
    if (at === blob.size) return;
    if (at - before >= progress) failures = 0;
    if (failures + 1 >= attempts) throw truncated(session.reference, blob, at);
    await session.pause(failures, stop);
  }
}

/** How many bytes of the body are already here: none after 206, all of them when the server ignored Range. */
async function startOf(session: Session, response: IncomingMessage, blob: Expected, at: number): Promise<number> {
  if (response.statusCode === 206 && at > 0) {
    if (new RegExp(`^bytes ${at}-`).test(response.headers['content-range'] ?? '')) return 0;
    response.destroy();
    throw truncated(session.reference, blob, at);
  }
  if (response.statusCode !== 200) throw await session.refusal(response);
  const length = response.headers['content-length'];
  if (length !== undefined && Number(length) !== blob.size) {
    response.destroy();
    throw sizeMismatch(blob, `the registry sends has ${length}`);
  }
  return at;
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

function truncated(reference: RegistryReference, blob: Expected, at: number): RootlessError {
  return new RootlessError({
    code: 'BODY_TRUNCATED',
    message: `registry "${reference.registry}" sends only a part of ${blob.digest}`,
    why: `${at} of ${blob.size} bytes came in ${attempts} attempts`,
  });
}
