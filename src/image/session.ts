/** A conversation with one repository of a registry: the scheme that works, login, redirects, and patience. */

import type { IncomingMessage } from 'node:http';
import type { RootlessError } from '../errors.ts';
import type { RegistryEnvironment } from '../paths.ts';
import { type Authorization, authorize, type Challenge, parseChallenges, readLimited } from './auth.ts';
import { type Credentials, findCredentials } from './credentials.ts';
import { type HttpClient, openHttp, type Outgoing } from './http.ts';
import { isLoopback } from './proxy.ts';
import { follow } from './redirects.ts';
import type { RegistryReference } from './reference.ts';
import { type Purpose, refused, unreachable } from './registry-error.ts';
import { type Pause, patiently, pauseAfter } from './retry.ts';

export type RegistrySettings = {
  readonly environment: RegistryEnvironment;
  /** undefined: HTTPS, and docker's exception for loopback; true: no exception; false: any certificate, or plain HTTP. */
  readonly tlsVerify?: boolean | undefined;
  /** Instead of those in files. Mirrors never get them. */
  readonly credentials?: Credentials | undefined;
  /** The only file to look for credentials in. */
  readonly authFile?: string | undefined;
  /** The only folder to look for certificates in. */
  readonly certDir?: string | undefined;
  /** Milliseconds without a byte before a request counts as failed. */
  readonly idle?: number | undefined;
  readonly pause?: Pause | undefined;
};

/** Where requests really go: registries.conf may lead elsewhere than a name says. */
export type Endpoint = {
  readonly registry: string;
  readonly repository: string;
  /** Any certificate, or plain HTTP. */
  readonly insecure?: boolean;
  /** Somebody else's copy: explicit credentials are not for it. */
  readonly mirror?: boolean;
};

export type SessionRequest = Outgoing & {
  /** Scopes of the token beside those of the repository itself. */
  readonly scopes?: readonly string[];
  /** No second attempt: the caller knows better what to do after a failure. */
  readonly once?: boolean;
};

/** What requests to one repository share: the scheme that works, the login, the connections. */
export class Session {
  /** What the user named. */
  readonly reference: RegistryReference;
  readonly endpoint: Endpoint;
  readonly signal: AbortSignal | undefined;
  readonly http: HttpClient;
  /** Milliseconds without a byte before a request counts as failed. */
  readonly idle: number;
  readonly #settings: RegistrySettings;
  readonly #purpose: Purpose;
  readonly #mayBePlain: boolean;
  #base: Promise<URL> | undefined;
  #found: URL | undefined;
  #challenges: readonly Challenge[] = [];
  readonly #authorizations = new Map<string, Authorization | undefined>();
  readonly #logins = new Map<string, Promise<Authorization | undefined>>();
  #credentials: Promise<Credentials | undefined> | undefined;
  #loggedIn = false;

  constructor(
    reference: RegistryReference,
    settings: RegistrySettings,
    signal: AbortSignal | undefined,
    endpoint: Endpoint = reference,
    purpose: Purpose = 'pull',
  ) {
    this.reference = reference;
    this.endpoint = endpoint;
    this.signal = signal;
    this.#settings = settings;
    this.#purpose = purpose;
    const loopback = isLoopback(new URL(`http://${endpoint.registry}`).hostname);
    const { tlsVerify, environment, certDir, idle = 30_000 } = settings;
    this.idle = idle;
    this.#mayBePlain = tlsVerify === false || (tlsVerify !== true && (loopback || endpoint.insecure === true));
    this.http = openHttp({ environment, verify: !this.#mayBePlain, idle, certDir });
  }

  /** GET /v2/NAME/PATH. */
  get(path: string, headers: Readonly<Record<string, string>> = {}, signal = this.signal): Promise<IncomingMessage> {
    return this.request(path, { headers, signal });
  }

  /** A path below /v2/NAME/, one that starts with `/`, or a whole URL; with login, redirects, and patience unless `once`. */
  async request(target: string | URL, { once = false, scopes = [], ...outgoing }: SessionRequest = {}): Promise<IncomingMessage> {
    const signal = outgoing.signal ?? this.signal;
    const url = typeof target === 'string' ? await this.url(target) : target;
    const send = () => this.#authorized(url, { ...outgoing, signal }, scopes);
    return once ? send() : patiently(send, this.endpoint.registry, this.#settings.pause, signal);
  }

  async url(path: string): Promise<URL> {
    return new URL(path.startsWith('/') ? path : `/v2/${this.endpoint.repository}/${path}`, await this.#findBase());
  }

  pause(failures: number, signal: AbortSignal | undefined = this.signal): Promise<void> {
    return pauseAfter(failures, this.#settings.pause, signal);
  }

  /** The error for an answer that is not what was hoped for. */
  async refusal(response: IncomingMessage): Promise<RootlessError> {
    const body = await readLimited(response, 64 * 1024).catch(() => Buffer.alloc(0));
    response.destroy();
    return refused(this.reference, {
      registry: this.endpoint.registry,
      purpose: this.#purpose,
      status: response.statusCode ?? 0,
      body,
      loggedIn: this.#loggedIn,
      retryAfter: response.headers['retry-after'],
    });
  }

  /** The error for a request that got no answer. */
  unreachable(cause: unknown): RootlessError {
    return unreachable(this.endpoint.registry, cause as NodeJS.ErrnoException);
  }

  /**
   * Logs in with these credentials, whatever is stored.
   * @returns a refresh token if the token server gave one; undefined too where the registry asks for no login
   */
  async login(credentials: Credentials | undefined): Promise<{ readonly response: IncomingMessage; readonly refresh: string | undefined }> {
    this.#credentials = Promise.resolve(credentials);
    this.#loggedIn = credentials !== undefined;
    const first = await this.request('/v2/');
    const refresh = [...this.#authorizations.values()].find((known) => known?.refresh !== undefined)?.refresh;
    return { response: first, refresh };
  }

  /** Once with the authorization we have; after a 401, once more with a new one. */
  async #authorized(url: URL, outgoing: Outgoing, more: readonly string[]): Promise<IncomingMessage> {
    const base = await this.#findBase();
    // An upload may lead to another host: that one gets no secret of ours.
    if (url.origin !== base.origin) return this.#followed(url, outgoing, undefined);
    const scopes = [...this.#ownScopes(), ...more];
    const key = scopes.join(' ');
    let used = this.#authorizations.get(key);
    if (this.#challenges.length > 0 && (used === undefined || used.expires < Date.now())) used = await this.#logIn(key, scopes);
    const first = await this.#followed(url, outgoing, used);
    const challenge = first.headers['www-authenticate'];
    if (first.statusCode !== 401 || challenge === undefined) return first;
    this.#challenges = parseChallenges(challenge);
    // Parallel requests that met the same 401 share one login.
    const current = this.#authorizations.get(key);
    const fresh = current !== undefined && current !== used ? current : await this.#logIn(key, scopes);
    if (fresh === undefined) return first;
    first.destroy();
    return this.#followed(url, outgoing, fresh);
  }

  #ownScopes(): readonly string[] {
    const { repository } = this.endpoint;
    if (this.#purpose === 'login') return [];
    if (repository === '') return ['registry:catalog:*'];
    return [`repository:${repository}:${this.#purpose === 'push' ? 'pull,push' : 'pull'}`];
  }

  #logIn(key: string, scopes: readonly string[]): Promise<Authorization | undefined> {
    const running = this.#logins.get(key);
    if (running !== undefined) return running;
    const login = this.#answer(scopes)
      .then((authorization) => {
        this.#authorizations.set(key, authorization);
        return authorization;
      })
      .finally(() => this.#logins.delete(key));
    this.#logins.set(key, login);
    return login;
  }

  async #answer(scopes: readonly string[]): Promise<Authorization | undefined> {
    const { environment, authFile, credentials: given, pause } = this.#settings;
    const files = authFile === undefined ? environment.authFiles : [authFile];
    const own = this.endpoint.mirror === true ? undefined : given;
    this.#credentials ??= own === undefined ? findCredentials(files, this.endpoint, this.signal) : Promise.resolve(own);
    const credentials = await this.#credentials;
    this.#loggedIn = credentials !== undefined;
    const send: HttpClient['send'] = (url, outgoing) => patiently(() => this.http.send(url, outgoing), url.host, pause, this.signal);
    const offline = this.#purpose === 'login';
    const registry = new URL((await this.#findBase()).origin);
    return authorize(registry, this.#challenges, { credentials, scopes, offline, signal: this.signal, send });
  }

  #followed(url: URL, outgoing: Outgoing, authorization: Authorization | undefined): Promise<IncomingMessage> {
    const { registry } = this.endpoint;
    return follow(this.http, url, outgoing, { authorization: authorization?.header, mayBePlain: this.#mayBePlain, registry });
  }

  /** The scheme and host that turned out to work; known once there was an answer. */
  get base(): URL {
    return this.#found ?? new URL(`https://${this.endpoint.registry}`);
  }

  #findBase(): Promise<URL> {
    const { registry } = this.endpoint;
    const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
    this.#base ??= (this.#mayBePlain ? this.#probe(host) : Promise.resolve(new URL(`https://${host}`))).then((base) => {
      this.#found = base;
      return base;
    });
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
