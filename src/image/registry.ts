/** A registry as this program needs it (OCI distribution-spec, pull): manifests and blobs, with login, retries and resumption. */

import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { RootlessError } from '../errors.ts';
import type { RegistryEnvironment } from '../paths.ts';
import { authorize, parseChallenges, readLimited } from './auth.ts';
import { type Credentials, findCredentials } from './credentials.ts';
import { type Expected, sizeMismatch } from './digest.ts';
import { type HttpClient, openHttp } from './http.ts';
import { list, parseJson } from './json.ts';
import { manifestLimit, manifestTooLarge, mediaTypes } from './manifest.ts';
import { isLoopback, parseUrl } from './proxy.ts';
import type { RegistryReference } from './reference.ts';
import { isPassing, refused, tagNotFound, unreachable } from './registry-error.ts';

export type RegistrySettings = {
  readonly environment: RegistryEnvironment;
  /** undefined: HTTPS, and docker's exception for loopback; true: no exception; false: any certificate, or plain HTTP. */
  readonly tlsVerify?: boolean | undefined;
  /** Milliseconds without a byte before a request counts as failed. */
  readonly idle?: number;
  /** Waits before another attempt; tests count instead. */
  readonly pause?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
};

export type Registry = {
  /** The bytes of a manifest or index by tag or digest. @throws RootlessError IMAGE_NOT_FOUND, TAG_NOT_FOUND, MANIFEST_TOO_LARGE, … */
  manifest(which: string): Promise<Buffer>;
  /** The bytes of a blob, unverified; goes on where it was when the connection breaks. @throws RootlessError BODY_TRUNCATED, SIZE_MISMATCH, … */
  blob(blob: Expected): AsyncGenerator<Buffer>;
  close(): void;
};

const attempts = 5;
/** Milliseconds. A registry that wants a longer break is reported, not waited for. */
const longestPause = 30_000;
const manifestTypes = Object.values(mediaTypes).join(', ');

export function openRegistry(reference: RegistryReference, settings: RegistrySettings, signal?: AbortSignal): Registry {
  const session = new Session(reference, settings, signal);
  return {
    manifest: (which) => fetchManifest(session, which),
    blob: (blob) => fetchBlob(session, blob),
    close: () => session.http.close(),
  };
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

async function* fetchBlob(session: Session, blob: Expected): AsyncGenerator<Buffer> {
  let at = 0;
  for (let failures = 0; at < blob.size || failures === 0; failures += 1) {
    const response = await session.get(`blobs/${blob.digest}`, at === 0 ? {} : { range: `bytes=${at}-` });
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
      session.signal?.throwIfAborted();
      if (cause instanceof RootlessError) throw cause;
    } finally {
      response.destroy();
    }
    if (at === blob.size) return;
    if (failures + 1 >= attempts) throw truncated(session.reference, blob, at);
    await session.pause(failures);
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

/** What requests to one repository share: the scheme that works, the login, the connections. */
class Session {
  readonly reference: RegistryReference;
  readonly signal: AbortSignal | undefined;
  readonly http: HttpClient;
  readonly #settings: RegistrySettings;
  readonly #mayBePlain: boolean;
  #base: Promise<URL> | undefined;
  #authorization: string | undefined;
  #login: Promise<string | undefined> | undefined;
  #credentials: Promise<Credentials | undefined> | undefined;
  #loggedIn = false;

  constructor(reference: RegistryReference, settings: RegistrySettings, signal: AbortSignal | undefined) {
    this.reference = reference;
    this.signal = signal;
    this.#settings = settings;
    const loopback = isLoopback(new URL(`http://${reference.registry}`).hostname);
    this.#mayBePlain = settings.tlsVerify === false || (loopback && settings.tlsVerify !== true);
    this.http = openHttp({ environment: settings.environment, verify: !this.#mayBePlain, idle: settings.idle ?? 30_000 });
  }

  /** GET /v2/NAME/PATH with every patience: passing failures, 429 and 5xx are tried again. */
  async get(path: string, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> {
    const url = new URL(`/v2/${this.reference.repository}/${path}`, await this.#findBase());
    for (let failures = 0; ; failures += 1) {
      const last = failures + 1 >= attempts;
      try {
        const response = await this.#authorized(url, headers);
        const status = response.statusCode ?? 0;
        if (last || !(status === 429 || (status >= 500 && status !== 501))) return response;
        const wait = retryAfter(response.headers['retry-after']);
        if (wait !== undefined && wait > longestPause) return response;
        response.destroy();
        await this.pause(failures, wait);
      } catch (cause) {
        this.signal?.throwIfAborted();
        if (cause instanceof RootlessError) throw cause;
        if (last || !isPassing(cause as NodeJS.ErrnoException))
          throw unreachable(this.reference.registry, cause as NodeJS.ErrnoException);
        await this.pause(failures);
      }
    }
  }

  /** 0.2 s, 0.4 s, 0.8 s, … with up to a half more, so that many clients do not come back together. */
  pause(failures: number, wished?: number): Promise<void> {
    const wait = wished ?? 200 * 2 ** failures * (1 + Math.random() / 2);
    const pause = this.#settings.pause ?? ((milliseconds, signal) => sleep(milliseconds, undefined, signal ? { signal } : {}));
    return pause(Math.min(wait, longestPause), this.signal);
  }

  async refusal(response: IncomingMessage): Promise<RootlessError> {
    const body = await readLimited(response, 64 * 1024).catch(() => Buffer.alloc(0));
    return refused(this.reference, {
      status: response.statusCode ?? 0,
      body,
      loggedIn: this.#loggedIn,
      retryAfter: response.headers['retry-after'],
    });
  }

  /** Once with the authorization we have; after a 401, once more with a new one. */
  async #authorized(url: URL, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> {
    const used = this.#authorization;
    const first = await this.#followed(url, used === undefined ? headers : { ...headers, authorization: used });
    const challenge = first.headers['www-authenticate'];
    if (first.statusCode !== 401 || challenge === undefined) return first;
    // Parallel requests that met the same 401 share one login.
    if (this.#authorization === used) {
      this.#login ??= this.#answer(url, challenge).finally(() => {
        this.#login = undefined;
      });
      this.#authorization = await this.#login;
    }
    if (this.#authorization === undefined) return first;
    first.destroy();
    return this.#followed(url, { ...headers, authorization: this.#authorization });
  }

  async #answer(url: URL, challenge: string): Promise<string | undefined> {
    this.#credentials ??= findCredentials(this.#settings.environment.authFiles, this.reference, this.signal);
    const credentials = await this.#credentials;
    this.#loggedIn = credentials !== undefined;
    const scope = `repository:${this.reference.repository}:pull`;
    return authorize(this.http, new URL(url.origin), parseChallenges(challenge), scope, credentials, this.signal);
  }

  /** Redirects of blobs lead to storage servers with signed URLs: our authorization is for the registry alone. */
  async #followed(start: URL, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> {
    let url = start;
    for (let hops = 0; hops <= 5; hops += 1) {
      const { authorization: _, ...public_ } = headers as Record<string, string>;
      const response = await this.http.send(url, {
        headers: url.origin === start.origin ? headers : public_,
        signal: this.signal,
      });
      const location = response.headers.location;
      if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) || location === undefined) return response;
      response.destroy();
      const next = parseUrl(location, url);
      if (next === undefined || !/^https?:$/.test(next.protocol)) throw this.#badRedirect('it leads to no http or https URL');
      if (next.protocol === 'http:' && url.protocol === 'https:' && !this.#mayBePlain)
        throw this.#badRedirect('it leads from https to http');
      url = next;
    }
    throw this.#badRedirect('there are more than 5 in a row');
  }

  #badRedirect(why: string): RootlessError {
    return new RootlessError({
      code: 'REGISTRY_REDIRECT',
      message: `registry "${this.reference.registry}" redirects to where we do not follow`,
      why,
    });
  }

  #findBase(): Promise<URL> {
    const host = this.reference.registry === 'docker.io' ? 'registry-1.docker.io' : this.reference.registry;
    this.#base ??= this.#mayBePlain ? this.#probe(host) : Promise.resolve(new URL(`https://${host}`));
    return this.#base;
  }

  /** Where plain HTTP is allowed, TLS is still tried first, as docker does. Nothing secret is sent. */
  async #probe(host: string): Promise<URL> {
    try {
      const secure = new URL(`https://${host}`);
      (await this.http.send(new URL('/v2/', secure), { signal: this.signal })).destroy();
      return secure;
    } catch {
      this.signal?.throwIfAborted();
      return new URL(`http://${host}`);
    }
  }
}

/** Seconds or a date (RFC 9110, 10.2.3), in milliseconds from now. */
export function retryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^[0-9]+$/.test(value)) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
