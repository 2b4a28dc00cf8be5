/** One blob on its way into a registry (distribution-spec, "Pushing blobs"): asked for first, mounted if possible, else sent and resumed. */

import type { IncomingMessage } from 'node:http';
import { RootlessError } from '../errors.ts';
import type { Expected } from './digest.ts';
import { type Outgoing, SourceFailed } from './http.ts';
import { parseUrl } from './proxy.ts';
import { isPassing } from './registry-error.ts';
import { attempts, isPassingStatus } from './retry.ts';
import type { Session } from './session.ts';

export type Outcome = { readonly kind: 'exists' } | { readonly kind: 'mounted'; readonly from: string } | { readonly kind: 'pushed' };

export type UploadOptions = {
  /** The bytes of the blob from an offset on. */
  readonly open: (from: number) => AsyncIterable<Uint8Array>;
  /** Repositories of the same registry that probably have it. */
  readonly origins?: readonly string[] | undefined;
  /** Bytes sent so far. */
  readonly report?: ((done: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Blobs up to this size go with the request that ends the upload. */
const small = 1 << 20;
/** The size of a part, once a registry or a proxy before it was found to refuse or to break a whole layer. */
const part = 32 << 20;
/** An attempt that sent this much was no failure. */
const progress = 1 << 20;
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

/** Whether the repository has the blob. @throws RootlessError REGISTRY_UNAUTHORIZED, REGISTRY_DENIED, … */
export async function hasBlob(session: Session, blob: Expected, signal = session.signal): Promise<boolean> {
  const response = await session.request(`blobs/${blob.digest}`, { method: 'HEAD', signal });
  response.resume();
  const { statusCode = 0, headers } = response;
  if (statusCode === 401 || statusCode === 403) throw await session.refusal(response);
  const length = headers['content-length'];
  return statusCode === 200 && (length === undefined || Number(length) === blob.size);
}

/** Where an upload goes on, and how small a part may be. */
type Location = { readonly url: URL; readonly least: number };

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

async function cancel(session: Session, url: URL, signal?: AbortSignal): Promise<void> {
  const response = await session.request(url, { method: 'DELETE', once: true, signal }).catch(() => undefined);
  response?.resume();
}

/** An attempt failed in a way that another may not. */
class Interrupted extends Error {
  readonly failure: RootlessError;
  constructor(failure: RootlessError) {
    super(failure.message);
    this.failure = failure;
  }
}

class Upload {
  readonly #session: Session;
  readonly #blob: Expected;
  readonly #options: UploadOptions;
  #location: Location | undefined;
  /** Bytes that the registry has. */
  #at = 0;
  /** Undefined: everything that is left in one request. */
  #part: number | undefined;
  #damaged = false;

  constructor(session: Session, blob: Expected, options: UploadOptions, location: Location | undefined) {
    this.#session = session;
    this.#blob = blob;
    this.#options = options;
    this.#location = location;
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    for (let failures = 0; ; failures += 1) {
      const before = this.#at;
      try {
        this.#location ??= await this.#begin();
        await this.#send(this.#location);
        return await this.#finish(this.#location);
      } catch (cause) {
        signal?.throwIfAborted();
        if (!(cause instanceof Interrupted)) throw cause;
        await this.#session.pause(failures, signal);
        // The registry may have taken what it could not answer any more.
        if (await hasBlob(this.#session, this.#blob, signal)) return;
        await this.#recover();
        // A proxy that finds a request too large may hang up before its answer is read.
        if (this.#at - before >= progress) failures = 0;
        else if (failures > 0) this.#shrink(this.#part ?? this.#blob.size, this.#location?.least ?? 0);
        if (failures + 1 >= attempts) throw cause.failure;
      }
    }
  }

  async #begin(): Promise<Location> {
    const { signal } = this.#options;
    const response = await this.#session.request('blobs/uploads/', { method: 'POST', signal });
    if (response.statusCode !== 202) throw await this.#session.refusal(response);
    response.resume();
    this.#at = 0;
    return locate(this.#session, response);
  }

  /** PATCH until the registry has all, or all but what may go with the last request. */
  async #send(begun: Location): Promise<void> {
    const { size } = this.#blob;
    if (this.#at === 0 && size <= small) return;
    let { url } = begun;
    while (this.#at < size) {
      const start = this.#at;
      const end = this.#part === undefined ? size : Math.min(size, start + Math.max(this.#part, begun.least));
      // A stream of everything is docker's form, which all registries know; a part says which one it is.
      const range = start === 0 && end === size ? {} : { 'content-range': `${start}-${end - 1}` };
      const headers = { 'content-type': 'application/octet-stream', ...range };
      const response = await this.#try(url, { method: 'PATCH', headers, body: this.#body(start, end) });
      const status = response.statusCode ?? 0;
      if (status === 413 && this.#shrink(end - start, begun.least)) {
        response.destroy();
        continue;
      }
      if (![201, 202, 204].includes(status)) throw await this.#refused(response);
      response.resume();
      this.#at = received(response, start, end);
      url = locate(this.#session, response, url).url;
      this.#location = { ...begun, url };
    }
  }

  async #finish({ url: begun }: Location): Promise<void> {
    const { digest, size } = this.#blob;
    const { url } = this.#location ?? { url: begun };
    const target = new URL(`${url.href}${url.search === '' ? '?' : '&'}digest=${encodeURIComponent(digest)}`);
    const body = this.#at < size ? this.#body(this.#at, size) : '';
    // The registry reads the whole blob again before it answers.
    const idle = this.#session.idle * 10;
    const response = await this.#try(target, { method: 'PUT', headers: { 'content-type': 'application/octet-stream' }, body, idle });
    if (![200, 201, 204].includes(response.statusCode ?? 0)) throw await this.#refused(response);
    response.resume();
    this.#options.report?.(size);
  }

  #body(start: number, end: number): { readonly size: number; open(): AsyncIterable<Uint8Array> } {
    return { size: end - start, open: () => this.#counted(start, end) };
  }

  async *#counted(start: number, end: number): AsyncGenerator<Uint8Array> {
    let at = start;
    for await (const chunk of this.#options.open(start)) {
      const wanted = chunk.subarray(0, end - at);
      at += wanted.length;
      if (wanted.length > 0) yield wanted;
      this.#options.report?.(at);
      if (at >= end) return;
    }
  }

  async #try(url: URL, outgoing: Outgoing): Promise<IncomingMessage> {
    const { signal } = this.#options;
    try {
      return await this.#session.request(url, { ...outgoing, signal, once: true });
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof SourceFailed) throw cause.cause;
      if (cause instanceof RootlessError) throw cause;
      const failure = this.#session.unreachable(cause);
      throw isPassing(cause as NodeJS.ErrnoException) ? new Interrupted(failure) : failure;
    }
  }

  /** What to do about an answer: 404 and 416 mean that the registry's idea of this upload is another one. */
  async #refused(response: IncomingMessage): Promise<Error> {
    const status = response.statusCode ?? 0;
    const refusal = await this.#session.refusal(response);
    if (isPassingStatus(status) || status === 416) return new Interrupted(refusal);
    if (status === 404) {
      this.#location = undefined;
      return new Interrupted(refusal);
    }
    if (status !== 400 || !/DIGEST|SIZE_INVALID/.test(refusal.why ?? '')) return refusal;
    const twice = this.#damaged;
    this.#damaged = true;
    this.#location = undefined;
    const damaged = new RootlessError({
      code: 'DIGEST_MISMATCH',
      message: `registry "${this.#session.endpoint.registry}" received other bytes than those of ${this.#blob.digest}`,
      why: refusal.why,
      fix: 'rootless system check',
    });
    return twice ? damaged : new Interrupted(damaged);
  }

  /** Smaller parts, if they may be smaller. */
  #shrink(size: number, least: number): boolean {
    const next = Math.max(Math.min(part, size >> 1), least, small);
    if (next >= size) return false;
    this.#part = next;
    return true;
  }

  /** Asks how much has arrived. An upload that is not known any more, or of which nothing can be told, begins again. */
  async #recover(): Promise<void> {
    const known = this.#location;
    this.#location = undefined;
    this.#at = 0;
    if (known === undefined) return;
    const response = await this.#session.request(known.url, { signal: this.#options.signal });
    response.resume();
    const end = rangeEnd(response);
    // "0-0" is said of one byte and of none.
    if (![200, 202, 204].includes(response.statusCode ?? 0)) return;
    if (end === undefined || end === 0 || end >= this.#blob.size) return cancel(this.#session, known.url, this.#options.signal);
    this.#at = end + 1;
    this.#location = { ...known, url: locate(this.#session, response, known.url).url };
  }
}

/** How far the registry got; one that does not say it has taken everything. */
function received(response: IncomingMessage, start: number, end: number): number {
  const last = rangeEnd(response);
  return last !== undefined && last + 1 > start && last + 1 < end ? last + 1 : end;
}

/** `Range: 0-1023`; some put the unit before it. */
function rangeEnd({ headers }: IncomingMessage): number | undefined {
  const found = /^(?:bytes[= ])?0-([0-9]+)$/.exec(headers.range ?? '')?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Where the registry wants the upload to go on. */
function locate(session: Session, response: IncomingMessage, from?: URL): Location {
  const least = Number(response.headers['oci-chunk-min-length'] ?? 0) || 0;
  const { location } = response.headers;
  if (location === undefined && from !== undefined) return { url: from, least };
  const url = location === undefined ? undefined : parseUrl(location, from ?? session.base);
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw nowhere(session, 'it names no place for the upload');
  // Behind a proxy that ends TLS, a registry often believes that it is spoken to in the clear.
  if (url.protocol === 'http:' && session.base.protocol === 'https:') {
    if (url.hostname !== session.base.hostname) throw nowhere(session, 'an upload leads from https to http');
    url.protocol = 'https:';
  }
  return { url, least };
}

function nowhere(session: Session, why: string): RootlessError {
  const { registry } = session.endpoint;
  return new RootlessError({ code: 'REGISTRY_REDIRECT', message: `registry "${registry}" redirects to where we do not follow`, why });
}
