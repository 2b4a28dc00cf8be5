/** The bytes of one blob on their way: in one request or in parts, gone on with or begun again where a connection breaks. */

import type { IncomingMessage } from 'node:http';
import { RootlessError } from '../errors.ts';
import type { Expected } from './digest.ts';
import { type Outgoing, SourceFailed } from './http.ts';
import { isPassing } from './registry-error.ts';
import { hasBlob } from './remote-blob.ts';
import { attempts, isPassingStatus } from './retry.ts';
import type { Session } from './session.ts';
import { type Location, locate, rangeEnd, received } from './upload-location.ts';

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

/** An attempt failed in a way that another may not. */
class Interrupted extends Error {
  readonly failure: RootlessError;
  constructor(failure: RootlessError) {
    super(failure.message);
    this.failure = failure;
  }
}

/** One upload; begins where `location` says, if the registry has begun one already. */
export class Upload {
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

/** Tells the registry that an upload will not go on. */
export async function cancel(session: Session, url: URL, signal?: AbortSignal): Promise<void> {
  const response = await session.request(url, { method: 'DELETE', once: true, signal }).catch(() => undefined);
  response?.resume();
}
