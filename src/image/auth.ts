/** Answering a registry's challenge: basic, or a bearer token from its token server (distribution-spec; RFC 7235, 6750). */

import type { IncomingMessage } from 'node:http';
import { RootlessError } from '../errors.ts';
import type { Credentials } from './credentials.ts';
import type { HttpClient } from './http.ts';
import { optionalCount, optionalText, parseJson } from './json.ts';
import { parseUrl } from './proxy.ts';

export type Challenge = { readonly scheme: string; readonly parameters: Readonly<Record<string, string>> };

/** Parses WWW-Authenticate, which may hold several challenges. Values are tokens or quoted strings. */
export function parseChallenges(header: string): Challenge[] {
  const found: { scheme: string; parameters: Record<string, string> }[] = [];
  const pattern = /\s*,?\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/y;
  for (let match = pattern.exec(header); match !== null && match[0] !== ''; match = pattern.exec(header)) {
    const [, name = '', quoted, plain] = match;
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain;
    if (value === undefined) found.push({ scheme: name.toLowerCase(), parameters: {} });
    else {
      const last = found.at(-1);
      if (last !== undefined) Object.defineProperty(last.parameters, name.toLowerCase(), { value, enumerable: true, configurable: true });
    }
  }
  return found;
}

/** The Authorization header that answers a challenge, and what else the token server said. */
export type Authorization = {
  readonly header: string;
  /** Milliseconds since 1970, after which it is not worth trying. */
  readonly expires: number;
  /** A refresh token, if one was asked for and given. */
  readonly refresh?: string | undefined;
};

export type AuthorizeOptions = {
  readonly credentials: Credentials | undefined;
  /** `repository:NAME:pull,push`, … */
  readonly scopes: readonly string[];
  /** Asks for a refresh token, to be kept instead of the password. */
  readonly offline?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Sends with patience. */
  readonly send: HttpClient['send'];
};

/**
 * What answers a challenge, or undefined when there is nothing to answer with.
 * @throws RootlessError REGISTRY_UNAUTHORIZED, REGISTRY_AUTH_FAILED; no secret is ever part of an error
 */
export async function authorize(
  registry: URL,
  challenges: readonly Challenge[],
  options: AuthorizeOptions,
): Promise<Authorization | undefined> {
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
  if (bearer !== undefined) return fetchToken(registry, bearer, options);
  const { credentials } = options;
  if (credentials?.kind !== 'basic' || !challenges.some(({ scheme }) => scheme === 'basic')) return undefined;
  return { header: basicHeader(credentials), expires: Number.POSITIVE_INFINITY };
}

type Wanted = { readonly service: string; readonly scopes: readonly string[] };

async function fetchToken(registry: URL, { parameters }: Challenge, options: AuthorizeOptions): Promise<Authorization> {
  const { credentials } = options;
  const realm = parseUrl(parameters['realm'] ?? '');
  if (realm === undefined || !/^https?:$/.test(realm.protocol)) throw failed(registry, 'its challenge names no token server');
  // Else a forged challenge would make us send the password in the clear.
  if (credentials !== undefined && realm.protocol === 'http:' && registry.protocol === 'https:') {
    throw failed(registry, `its token server "${realm.host}" has no TLS, and credentials would be sent to it`);
  }
  const asked = (parameters['scope'] ?? '').split(' ').filter(Boolean);
  const wanted = { service: parameters['service'] ?? '', scopes: mergeScopes([...asked, ...options.scopes]) };
  const response = await ask(realm, wanted, options);
  const body = await readLimited(response, 1024 * 1024);
  if (response.statusCode === 401 || response.statusCode === 403) {
    throw new RootlessError({
      code: 'REGISTRY_UNAUTHORIZED',
      message: `registry "${registry.host}" refused the login`,
      why: `its token server "${realm.host}" answered ${response.statusCode} ${credentials === undefined ? 'without credentials' : 'to the credentials'}`,
    });
  }
  if (response.statusCode !== 200) throw failed(registry, `its token server "${realm.host}" answered ${response.statusCode}`);
  return parseJson(body, 'REGISTRY_AUTH_FAILED', `answer of token server "${realm.host}"`, (root) => {
    const token = optionalText(root, 'token') || optionalText(root, 'access_token');
    if (!token || /[^\x21-\x7e]/.test(token)) throw failed(registry, `its token server "${realm.host}" gave no token`);
    return { header: `Bearer ${token}`, expires: expiry(optionalCount(root, 'expires_in')), refresh: optionalText(root, 'refresh_token') };
  });
}

/** A token without a lifetime has 60 seconds; the last tenth of any is not counted on. */
function expiry(seconds: number | undefined): number {
  return Date.now() + (seconds || 60) * 900;
}

/** One scope for each repository, with all actions that anybody named; the order is that of first mention. */
export function mergeScopes(scopes: readonly string[]): string[] {
  const actions = new Map<string, Set<string>>();
  for (const scope of scopes) {
    const colon = scope.lastIndexOf(':');
    const resource = scope.slice(0, colon);
    const known = actions.get(resource) ?? new Set();
    for (const action of scope.slice(colon + 1).split(',')) known.add(action);
    actions.set(resource, known);
  }
  return [...actions].map(([resource, names]) => `${resource}:${[...names].join(',')}`);
}

/** GET as docker's token specification has it; with a refresh token POST, as its OAuth2 one has it. */
function ask(realm: URL, { service, scopes }: Wanted, { credentials, offline, signal, send }: AuthorizeOptions): Promise<IncomingMessage> {
  if (credentials?.kind === 'identity') {
    const fields = { grant_type: 'refresh_token', client_id: 'rootless', refresh_token: credentials.token, service };
    const form = new URLSearchParams({ ...fields, scope: scopes.join(' ') });
    return send(realm, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
      signal,
    });
  }
  const url = new URL(realm);
  if (service !== '') url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  if (offline) {
    url.searchParams.set('offline_token', 'true');
    url.searchParams.set('client_id', 'rootless');
  }
  if (credentials !== undefined) url.searchParams.set('account', credentials.username);
  return send(url, { headers: credentials === undefined ? {} : { authorization: basicHeader(credentials) }, signal });
}

function basicHeader({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** The body, cut at `limit` bytes. */
export async function readLimited(response: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > limit) break;
  }
  return Buffer.concat(chunks);
}

function failed(registry: URL, why: string): RootlessError {
  return new RootlessError({ code: 'REGISTRY_AUTH_FAILED', message: `cannot log in to registry "${registry.host}"`, why });
}
