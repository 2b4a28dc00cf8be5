/** The connections of one host: TLS with the registry's own certificates, a tunnel through a proxy. */

import { readdirSync, readFileSync } from 'node:fs';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions, request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { rootCertificates, connect as tlsConnect } from 'node:tls';
import type { RegistryEnvironment } from '../paths.ts';

export type HttpSettings = {
  readonly environment: RegistryEnvironment;
  /** False accepts any certificate. */
  readonly verify: boolean;
  /** Milliseconds without a byte, after which a request fails with ETIMEDOUT. */
  readonly idle: number;
  /** A folder of certificates to use for every host, instead of those of certs.d. */
  readonly certDir?: string | undefined;
};

type Tls = {
  readonly ca?: readonly string[];
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized: boolean;
};

export function makeAgent(url: URL, proxy: URL | undefined, settings: HttpSettings): HttpAgent {
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

export function proxyAuthorization(proxy: URL): Record<string, string> {
  if (proxy.username === '') return {};
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** certs.d: every .crt is trusted beside the usual roots; NAME.cert with NAME.key is shown to the registry. */
function tlsFor(host: string, { environment, verify, certDir }: HttpSettings): Tls {
  const folders = certDir === undefined ? environment.certFolders.map((folder) => join(folder, host)) : [certDir];
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
