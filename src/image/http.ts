/** One HTTP request: keep-alive, streamed bodies, an idle time-out. No policy. */

import { type ClientRequest, type Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { type RequestOptions, request as httpsRequest } from 'node:https';
import { urlToHttpOptions } from 'node:url';
import { type HttpSettings, makeAgent, proxyAuthorization } from './http-agent.ts';
import { proxyFor } from './proxy.ts';

export type Outgoing = {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body | undefined;
  /** Milliseconds of silence for this request, where it is not that of the client. */
  readonly idle?: number | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** What is sent: text, bytes, or a stream of known size that can be opened again for another attempt. */
export type Body = string | Uint8Array | { readonly size: number; open(): AsyncIterable<Uint8Array> };

/** The stream that was to be sent failed, not the network. */
export class SourceFailed extends Error {}

export type HttpClient = {
  /** Resolves with the head of the response; the caller reads or destroys its body. Redirects are not followed. */
  send(url: URL, outgoing?: Outgoing): Promise<IncomingMessage>;
  /** Closes the connections. */
  close(): void;
};

export function openHttp(settings: HttpSettings): HttpClient {
  const agents = new Map<string, HttpAgent>();
  const agentFor = (url: URL, proxy: URL | undefined): HttpAgent => {
    const key = `${url.host} ${url.protocol} ${proxy?.href ?? ''}`;
    const agent = agents.get(key) ?? makeAgent(url, proxy, settings);
    agents.set(key, agent);
    return agent;
  };
  return {
    send: (url, outgoing = {}) => {
      const proxy = proxyFor(url, settings.environment);
      return send(url, proxy, agentFor(url, proxy), settings.idle, outgoing);
    },
    close: () => {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

function send(url: URL, proxy: URL | undefined, agent: HttpAgent, usual: number, outgoing: Outgoing): Promise<IncomingMessage> {
  const { method = 'GET', body, signal, idle = usual } = outgoing;
  const plainProxy = url.protocol === 'http:' ? proxy : undefined;
  const length = body === undefined ? {} : { 'content-length': String(sizeOf(body)) };
  const pass = plainProxy === undefined ? {} : proxyAuthorization(plainProxy);
  const options: RequestOptions = {
    ...urlToHttpOptions(url),
    // A plain request through a proxy names the whole URL in its first line (RFC 9112, 3.2.2).
    ...(plainProxy && { ...urlToHttpOptions(plainProxy), auth: null, path: url.href }),
    method,
    agent,
    headers: { 'user-agent': 'rootless', ...outgoing.headers, ...length, ...pass, host: url.host },
    ...(signal && { signal }),
  };
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(options);
    const state = { waiting: false, answered: false };
    let response: IncomingMessage | undefined;
    request.setTimeout(idle, () => {
      // Silence is the server's only while we are reading: a full buffer means that the disk or the helper is slow, and a body that
      // waits for its own source that we are.
      if (state.waiting || (response !== undefined && response.readableLength > 0)) request.socket?.setTimeout(idle);
      else request.destroy(Object.assign(new Error(`no byte for ${idle / 1000} s`), { code: 'ETIMEDOUT' }));
    });
    request.once('error', reject);
    request.once('response', (message) => {
      response = message;
      state.answered = true;
      // An answer before the whole body was sent: the connection is of no more use once the answer is read.
      if (!request.writableEnded) message.once('close', () => request.destroy());
      resolve(message);
    });
    if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) request.end(body);
    else feed(request, body, state).catch((cause: unknown) => reject(cause));
  });
}

/** Sends a stream chunk by chunk, as fast as the network takes it; stops when the server has answered already. */
async function feed(
  request: ClientRequest,
  body: Exclude<Body, string | Uint8Array>,
  state: { waiting: boolean; readonly answered: boolean },
): Promise<void> {
  const source = body.open()[Symbol.asyncIterator]();
  let sent = 0;
  try {
    for (;;) {
      state.waiting = true;
      const next = await source.next();
      state.waiting = false;
      if (request.destroyed || state.answered) return;
      if (next.done) break;
      sent += next.value.length;
      if (!request.write(next.value)) await drained(request);
    }
    if (sent !== body.size) throw new Error(`${sent} of ${body.size} bytes are there`);
    request.end();
  } catch (cause) {
    request.destroy();
    throw Object.assign(new SourceFailed('the source failed'), { cause });
  } finally {
    await source.return?.();
  }
}

function drained(request: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    if (request.destroyed) return resolve();
    const settle = () => {
      request.off('drain', settle).off('close', settle).off('response', settle);
      resolve();
    };
    request.on('drain', settle).on('close', settle).on('response', settle);
  });
}

function sizeOf(body: Body): number {
  if (typeof body === 'string') return Buffer.byteLength(body);
  return body instanceof Uint8Array ? body.length : body.size;
}
