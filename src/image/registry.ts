/** A registry as this program needs it (OCI distribution-spec, pull): manifests and blobs, with login, retries and resumption. */

import { RootlessError } from '../errors.ts';
import type { Expected } from './digest.ts';
import { endpointsFor } from './mirrors.ts';
import { listPages } from './pages.ts';
import type { RegistryReference } from './reference.ts';
import { fetchBlob, fetchRange } from './remote-blob.ts';
import { fetchManifest } from './remote-manifest.ts';
import { type RegistrySettings, Session } from './session.ts';

export type Registry = {
  /** The bytes of a manifest or index by tag or digest. @throws RootlessError IMAGE_NOT_FOUND, TAG_NOT_FOUND, MANIFEST_TOO_LARGE, … */
  manifest(which: string): Promise<Buffer>;
  /** The bytes of a blob, unverified; goes on where it was when the connection breaks. @throws RootlessError BODY_TRUNCATED, SIZE_MISMATCH, … */
  blob(blob: Expected, stop?: AbortSignal): AsyncGenerator<Buffer>;
  /** A part of a blob, unverified; undefined when the server does not serve parts. @throws as `blob` */
  range(blob: Expected, start: number, length: number, stop?: AbortSignal): Promise<AsyncGenerator<Buffer> | undefined>;
  /** All tags of the repository. @throws RootlessError REPOSITORY_NOT_FOUND, … */
  tags(): Promise<string[]>;
  close(): void;
};

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
    range: async (blob, start, length, stop) => {
      const [session] = inOrder(sessions, chosen);
      return session && fetchRange(session, blob, { start, length }, stop ?? signal);
    },
    tags: async () => (await firstOf(sessions, (one) => listPages(one, 'tags/list?n=1000', 'tags'), signal))[1],
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
