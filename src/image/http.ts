/** One HTTP request: keep-alive, TLS with the registry's own certificates, proxies, an idle time-out. No policy. */

import { readdirSync, readFileSync } from 'node:fs';
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions, request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { rootCertificates, connect as tlsConnect } from 'node:tls';
import { urlToHttpOptions } from 'node:url';
import type { RegistryEnvironment } from '../paths.ts';
import { proxyFor } from './proxy.ts';

export type Outgoing = {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal | undefined;
};

export type HttpClient = {
  /** Resolves with the head of the response; the caller reads or destroys its body. Redirects are not followed. */
  send(url: URL, outgoing?: Outgoing): Promise<IncomingMessage>;
  /** Closes the connections. */
  close(): void;
};

export type HttpSettings = {
  readonly environment: RegistryEnvironment;
  /** False accepts any certificate. */
  readonly verify: boolean;
  /** Milliseconds without a byte, after which a request fails with ETIMEDOUT. */
  readonly idle: number;
};

type Tls = {
  readonly ca?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized: boolean;
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

function send(url: URL, proxy: URL | undefined, agent: HttpAgent, idle: number, outgoing: Outgoing): Promise<IncomingMessage> {
  const { method = 'GET', body, signal } = outgoing;
  const plainProxy = url.protocol === 'http:' ? proxy : undefined;
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
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
    let response: IncomingMessage | undefined;
    request.setTimeout(idle, () => {
      // Silence is the server's only while we are reading: a full buffer means that the disk or the helper is slow.
      if (response !== undefined && response.readableLength > 0) request.socket?.setTimeout(idle);
      else request.destroy(Object.assign(new Error(`no byte for ${idle / 1000} s`), { code: 'ETIMEDOUT' }));
    });
    request.once('error', reject);
    request.once('response', (message) => {
      response = message;
      resolve(message);
    });
    request.end(body);
  });
}

function makeAgent(url: URL, proxy: URL | undefined, settings: HttpSettings): HttpAgent {
  if (url.protocol === 'http:') return new HttpAgent({ keepAlive: true });
  const tls = tlsFor(url.host, settings);
  const agent = new HttpsAgent({ keepAlive: true, ...tls, ca: tls.ca ? [...tls.ca] : undefined });
  if (proxy === undefined) return agent;
  const createConnection = (options: RequestOptions, done: (error: Error | null, socket?: Duplex) => void) => {
    tunnel(url, proxy, settings.idle).then(
      (socket) => done(null, tlsConnect({ ...(options as object), socket })),
      (error: Error) => done(error),
    );
  };
  return Object.assign(agent, { createConnection });
}

/** CONNECT (RFC 9110, 9.3.6): the proxy becomes a wire to the registry, and TLS is spoken through it. */
function tunnel(url: URL, proxy: URL, idle: number): Promise<Duplex> {
  const target = `${url.hostname}:${url.port || 443}`;
  const open = proxy.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = open({
      host: proxy.hostname,
      port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
      method: 'CONNECT',
      path: target,
      headers: { host: target, ...proxyAuthorization(proxy) },
      timeout: idle,
      agent: false,
    });
    request.once('timeout', () => request.destroy(Object.assign(new Error('the proxy is silent'), { code: 'ETIMEDOUT' })));
    request.once('error', reject);
    request.once('connect', (response, socket) => {
      if (response.statusCode === 200) return resolve(socket);
      socket.destroy();
      reject(Object.assign(new Error(`the proxy answered ${response.statusCode}`), { code: 'EPROXY' }));
    });
    request.end();
  });
}

function proxyAuthorization(proxy: URL): Record<string, string> {
  if (proxy.username === '') return {};
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** certs.d: every .crt is trusted beside the usual roots; NAME.cert with NAME.key is shown to the registry. */
function tlsFor(host: string, { environment, verify }: HttpSettings): Tls {
  const folders = environment.certFolders.map((folder) => join(folder, host));
  const files = folders.flatMap((folder) => listFolder(folder).map((name) => join(folder, name)));
  const authorities = files.filter((name) => name.endsWith('.crt')).map((name) => readFileSync(name, 'utf8'));
  const certificate = files.find((name) => name.endsWith('.cert') && files.includes(name.replace(/cert$/, 'key')));
  return {
    rejectUnauthorized: verify,
    ...(authorities.length > 0 ? { ca: [...rootCertificates, ...authorities] } : {}),
    ...(certificate === undefined
      ? {}
      : { cert: readFileSync(certificate, 'utf8'), key: readFileSync(certificate.replace(/cert$/, 'key'), 'utf8') }),
  };
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
