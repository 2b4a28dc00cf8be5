/** A conversation with one repository of a registry: the scheme that works, login, redirects, and patience. */

import type { IncomingMessage } from 'node:http';
import type { RootlessError } from '../errors.ts';
import type { RegistryEnvironment } from '../paths.ts';
import { type Authorization, readLimited } from './auth.ts';
import type { Credentials } from './credentials.ts';
import { type HttpClient, openHttp, type Outgoing } from './http.ts';
import { isLoopback } from './proxy.ts';
import { follow } from './redirects.ts';
import type { RegistryReference } from './reference.ts';
import { type Purpose, refused, unreachable } from './registry-error.ts';
import { type Pause, patiently, pauseAfter } from './retry.ts';
import { SessionLogin } from './session-login.ts';

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
  readonly #login: SessionLogin;
  readonly #mayBePlain: boolean;
  #base: Promise<URL> | undefined;
  #found: URL | undefined;

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
    this.#login = new SessionLogin({
      place: endpoint,
      purpose,
      files: settings.authFile === undefined ? environment.authFiles : [settings.authFile],
      given: endpoint.mirror === true ? undefined : settings.credentials,
      signal,
      send: (url, outgoing) => patiently(() => this.http.send(url, outgoing), url.host, settings.pause, signal),
      base: () => this.#findBase(),
    });
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
      loggedIn: this.#login.loggedIn,
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
    this.#login.use(credentials);
    const response = await this.request('/v2/');
    return { response, refresh: this.#login.refreshToken };
  }

  /** Once with the authorization we have; after a 401, once more with a new one. */
  async #authorized(url: URL, outgoing: Outgoing, more: readonly string[]): Promise<IncomingMessage> {
    const base = await this.#findBase();
    // An upload may lead to another host: that one gets no secret of ours.
    if (url.origin !== base.origin) return this.#followed(url, outgoing, undefined);
    const used = await this.#login.current(more);
    const first = await this.#followed(url, outgoing, used);
    const challenge = first.headers['www-authenticate'];
    if (first.statusCode !== 401 || challenge === undefined) return first;
    const fresh = await this.#login.answer(challenge, used, more);
    if (fresh === undefined) return first;
    first.destroy();
    return this.#followed(url, outgoing, fresh);
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
