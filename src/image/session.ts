/** A conversation with one repository of a registry: the scheme that works, login, redirects, and patience. */

import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { RootlessError } from '../errors.ts';
import type { RegistryEnvironment } from '../paths.ts';
import { authorize, parseChallenges, readLimited } from './auth.ts';
import { type Credentials, findCredentials } from './credentials.ts';
import { type HttpClient, openHttp } from './http.ts';
import { isLoopback, parseUrl } from './proxy.ts';
import type { RegistryReference } from './reference.ts';
import { isPassing, refused, unreachable } from './registry-error.ts';

export type RegistrySettings = {
  readonly environment: RegistryEnvironment;
  /** undefined: HTTPS, and docker's exception for loopback; true: no exception; false: any certificate, or plain HTTP. */
  readonly tlsVerify?: boolean | undefined;
  /** Milliseconds without a byte before a request counts as failed. */
  readonly idle?: number;
  /** Waits before another attempt; tests count instead. */
  readonly pause?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
};

export const attempts = 5;
/** Milliseconds. A registry that wants a longer break is reported, not waited for. */
const longestPause = 30_000;

/** What requests to one repository share: the scheme that works, the login, the connections. */
export class Session {
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
  async get(path: string, headers: Readonly<Record<string, string>>, signal = this.signal): Promise<IncomingMessage> {
    const url = new URL(`/v2/${this.reference.repository}/${path}`, await this.#findBase());
    for (let failures = 0; ; failures += 1) {
      const last = failures + 1 >= attempts;
      try {
        const response = await this.#authorized(url, headers, signal);
        const status = response.statusCode ?? 0;
        if (last || !(status === 429 || (status >= 500 && status !== 501))) return response;
        const wait = retryAfter(response.headers['retry-after']);
        if (wait !== undefined && wait > longestPause) return response;
        response.destroy();
        await this.pause(failures, signal, wait);
      } catch (cause) {
        signal?.throwIfAborted();
        if (cause instanceof RootlessError) throw cause;
        if (last || !isPassing(cause as NodeJS.ErrnoException)) throw unreachable(this.reference.registry, cause as NodeJS.ErrnoException);
        await this.pause(failures, signal);
      }
    }
  }

  /** 0.2 s, 0.4 s, 0.8 s, … with up to a half more, so that many clients do not come back together. */
  pause(failures: number, signal: AbortSignal | undefined, wished?: number): Promise<void> {
    const wait = wished ?? 200 * 2 ** failures * (1 + Math.random() / 2);
    const pause = this.#settings.pause ?? ((milliseconds, stop) => sleep(milliseconds, undefined, stop ? { signal: stop } : {}));
    return pause(Math.min(wait, longestPause), signal);
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
  async #authorized(url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    const used = this.#authorization;
    const first = await this.#followed(url, used === undefined ? headers : { ...headers, authorization: used }, signal);
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
    return this.#followed(url, { ...headers, authorization: this.#authorization }, signal);
  }

  async #answer(url: URL, challenge: string): Promise<string | undefined> {
    this.#credentials ??= findCredentials(this.#settings.environment.authFiles, this.reference, this.signal);
    const credentials = await this.#credentials;
    this.#loggedIn = credentials !== undefined;
    const scope = `repository:${this.reference.repository}:pull`;
    return authorize(this.http, new URL(url.origin), parseChallenges(challenge), scope, credentials, this.signal);
  }

  /** Redirects of blobs lead to storage servers with signed URLs: our authorization is for the registry alone. */
  async #followed(start: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    let url = start;
    for (let hops = 0; hops <= 5; hops += 1) {
      const { authorization: _secret, ...harmless } = headers;
      const response = await this.http.send(url, {
        headers: url.origin === start.origin ? headers : harmless,
        signal,
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
