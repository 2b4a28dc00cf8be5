/** Blobs of a registry, whole or in part, resumed with Range (RFC 9110, 14) where a connection breaks. */

import type { IncomingMessage } from 'node:http';
import { RootlessError } from '../errors.ts';
import { type Expected, sizeMismatch } from './digest.ts';
import { attempts } from './retry.ts';
import type { Session } from './session.ts';

/** An attempt that brought this much was no failure: a wire that breaks every minute still carries any layer. */
const progress = 1 << 20;

/** The whole blob, unverified; goes on where it was when the connection breaks. @throws RootlessError BODY_TRUNCATED, SIZE_MISMATCH, … */
export async function* fetchBlob(session: Session, blob: Expected, stop: AbortSignal | undefined): AsyncGenerator<Buffer> {
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
    if (failures + 1 >= attempts) throw truncated(session, blob, at);
    await session.pause(failures, stop);
  }
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

/** Bytes of a blob. */
export type Part = { readonly start: number; readonly length: number };

/** A part of a blob, unverified; undefined when the server would send the whole. @throws as fetchBlob */
export async function fetchRange(
  session: Session,
  blob: Expected,
  { start, length }: Part,
  stop: AbortSignal | undefined,
): Promise<AsyncGenerator<Buffer> | undefined> {
  const end = start + length;
  const ask = (at: number) => session.get(`blobs/${blob.digest}`, { range: `bytes=${at}-${end - 1}` }, stop);
  const first = await ask(start);
  if (first.statusCode === 206) return readRange(session, blob, { start, end, first, ask }, stop);
  if (first.statusCode !== 200) throw await session.refusal(first);
  first.destroy();
  return undefined;
}

type Range = {
  readonly start: number;
  readonly end: number;
  readonly first: IncomingMessage;
  readonly ask: (at: number) => Promise<IncomingMessage>;
};

async function* readRange(session: Session, blob: Expected, { start, end, first, ask }: Range, stop?: AbortSignal): AsyncGenerator<Buffer> {
  let at = start;
  let response = first;
  for (let failures = 0; ; failures += 1) {
    const before = at;
    checkRange(session, response, blob, at);
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        const wanted = chunk.subarray(0, end - at);
        at += wanted.length;
        if (wanted.length > 0) yield wanted;
        if (at === end) return;
      }
    } catch (cause) {
      stop?.throwIfAborted();
      if (cause instanceof RootlessError) throw cause;
    } finally {
      response.destroy();
    }
    if (at - before >= progress) failures = 0;
    if (failures + 1 >= attempts) throw truncated(session, blob, at);
    await session.pause(failures, stop);
    response = await ask(at);
    if (response.statusCode !== 206) throw await session.refusal(response);
  }
}

/** A part of something else, or another part than was asked for, is not what this is about. */
function checkRange(session: Session, response: IncomingMessage, blob: Expected, at: number): void {
  const [, begin, size] = /^bytes ([0-9]+)-[0-9]+\/([0-9]+|\*)$/.exec(response.headers['content-range'] ?? '') ?? [];
  if (Number(begin) === at && (size === '*' || Number(size) === blob.size)) return;
  response.destroy();
  if (Number(begin) === at) throw sizeMismatch(blob, `in the registry has ${size}`);
  throw truncated(session, blob, at);
}

/** How many bytes of the body are already here: none after 206, all of them when the server ignored Range. */
async function startOf(session: Session, response: IncomingMessage, blob: Expected, at: number): Promise<number> {
  if (response.statusCode === 206 && at > 0) {
    checkRange(session, response, blob, at);
    return 0;
  }
  if (response.statusCode !== 200) throw await session.refusal(response);
  const length = response.headers['content-length'];
  if (length !== undefined && Number(length) !== blob.size) {
    response.destroy();
    throw sizeMismatch(blob, `the registry sends has ${length}`);
  }
  return at;
}

function truncated({ endpoint }: Session, blob: Expected, at: number): RootlessError {
  return new RootlessError({
    code: 'BODY_TRUNCATED',
    message: `registry "${endpoint.registry}" sends only a part of ${blob.digest}`,
    why: `${at} of ${blob.size} bytes came in ${attempts} attempts`,
  });
}
