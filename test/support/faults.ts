/** A proxy between a client and a real registry that does to requests and answers what a test asks for: HTTP on loopback. */

import { createServer, type IncomingMessage, request as httpRequest, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Transform, type TransformCallback } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';

/** What happens to one request; the absence of everything is that it passes. */
export type Plan = {
  /** Answered here, with this status, and never passed on. */
  readonly status?: number;
  /** Beside or instead of those that the registry sends. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** Sent instead of the registry's body. */
  readonly body?: Buffer | AsyncIterable<Buffer>;
  /** Both connections are cut after so many bytes of the answer's body. */
  readonly cutAnswer?: number;
  /** Both connections are cut after so many bytes of the request's body have gone on. */
  readonly cutRequest?: number;
  /** So many bytes of the answer at a time, with so many milliseconds between them. */
  readonly drip?: readonly [bytes: number, milliseconds: number];
  /** One byte in the middle of the answer is another one. */
  readonly damage?: true;
  /** The first byte of the request's body is another one. */
  readonly damageRequest?: true;
  /** The registry takes the request, but its answer is lost. */
  readonly loseAnswer?: true;
};

export type Asked = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  /** 1 for the first request with this method and kind of URL: uploads have names that nobody knows before. */
  readonly count: number;
};

export type Faulty = {
  readonly host: string;
  /** `METHOD URL [range] [content-range]`, with ids of uploads shortened. */
  readonly log: readonly string[];
};

export async function withFaults(
  port: number,
  plan: (asked: Asked) => Plan | undefined,
  body: (faulty: Faulty) => Promise<void>,
): Promise<void> {
  const counts = new Map<string, number>();
  const log: string[] = [];
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    const { method = 'GET', url = '', headers } = request;
    const shown = url.replace(/\/uploads\/[0-9a-f-]{36}.*/, '/uploads/ID');
    const key = `${method} ${shown}`;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    log.push([key, headers.range, headers['content-range']].filter(Boolean).join(' '));
    void serve(request, response, port, plan({ method, url, headers, count }) ?? {}).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await body({ host: `127.0.0.1:${(server.address() as AddressInfo).port}`, log });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

async function serve(request: IncomingMessage, response: ServerResponse, port: number, plan: Plan): Promise<void> {
  if (plan.status !== undefined) {
    request.resume();
    response.writeHead(plan.status, clean(plan.headers ?? {}));
    return send(response, plan.body ?? Buffer.alloc(0), plan);
  }
  const answer = await passOn(request, port, plan);
  if (plan.loseAnswer) {
    answer.resume();
    await new Promise((resolve) => answer.once('end', resolve));
    response.destroy();
    return;
  }
  const known = plan.body === undefined ? {} : { 'content-length': undefined };
  response.writeHead(answer.statusCode ?? 502, clean({ ...answer.headers, ...known, ...plan.headers }));
  await send(response, plan.body ?? answer, plan, Number(answer.headers['content-length'] ?? 0));
}

function clean(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string | string[]> {
  return Object.fromEntries(Object.entries(headers).filter((entry): entry is [string, string | string[]] => entry[1] !== undefined));
}

function passOn(request: IncomingMessage, port: number, { cutRequest, damageRequest }: Plan): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { method, url, headers } = request;
    const onward = httpRequest({ host: '127.0.0.1', port, method, path: url, headers, agent: false }, resolve);
    onward.once('error', reject);
    if (damageRequest) return request.pipe(spoiler()).pipe(onward);
    if (cutRequest === undefined) return request.pipe(onward);
    request.pipe(cutter(cutRequest, () => onward.destroy(new Error('cut')))).pipe(onward);
    return undefined;
  });
}

/** Lets so many bytes through, waits until they may have arrived, and then calls. */
function cutter(limit: number, cut: () => void): Transform {
  let left = limit;
  return new Transform({
    transform(chunk: Buffer, _encoding, next: TransformCallback) {
      if (left <= 0) return;
      const part = chunk.subarray(0, left);
      left -= part.length;
      next(null, part);
      if (left <= 0) setTimeout(cut, 100);
    },
  });
}

function spoiler(): Transform {
  let first = true;
  return new Transform({
    transform(chunk: Buffer, _encoding, next: TransformCallback) {
      const copy = Buffer.from(chunk);
      if (first) copy[0] = (copy[0] ?? 0) ^ 1;
      first = false;
      next(null, copy);
    },
  });
}

async function send(response: ServerResponse, body: Buffer | AsyncIterable<Buffer>, plan: Plan, length = 0): Promise<void> {
  let at = 0;
  for await (const chunk of Buffer.isBuffer(body) ? only(body) : body) {
    for (const part of pieces(chunk, plan.drip?.[0] ?? chunk.length)) {
      if (response.destroyed) return;
      const allowed = part.subarray(0, (plan.cutAnswer ?? Number.POSITIVE_INFINITY) - at);
      const whole = plan.damage ? damaged(allowed, at, length) : allowed;
      at += part.length;
      if (!response.write(whole)) await drained(response);
      if (plan.cutAnswer !== undefined && at >= plan.cutAnswer) {
        await pause(20);
        response.destroy();
        return;
      }
      if (plan.drip !== undefined) await pause(plan.drip[1]);
    }
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      response.off('drain', settle).off('close', settle);
      resolve();
    };
    response.on('drain', settle).on('close', settle);
  });
}

async function* only(body: Buffer): AsyncGenerator<Buffer> {
  yield body;
}

function* pieces(chunk: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < chunk.length; at += Math.max(1, size)) yield chunk.subarray(at, at + Math.max(1, size));
}

function damaged(part: Buffer, at: number, length: number): Buffer {
  const middle = (length >> 1) - at;
  if (middle < 0 || middle >= part.length) return part;
  const copy = Buffer.from(part);
  copy[middle] = (copy[middle] ?? 0) ^ 1;
  return copy;
}
