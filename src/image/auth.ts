/** Answering a registry's challenge: basic, or a bearer token from its token server (distribution-spec; RFC 7235, 6750). */

import type { IncomingMessage } from 'node:http';
import { RootlessError } from '../errors.ts';
import type { Credentials } from './credentials.ts';
import type { HttpClient } from './http.ts';
import { optionalText, parseJson } from './json.ts';
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

/**
 * The value of the Authorization header that answers a challenge, or undefined when there is nothing to answer with.
 * @throws RootlessError REGISTRY_UNAUTHORIZED, REGISTRY_AUTH_FAILED; no secret is ever part of an error
 */
export async function authorize(
  http: HttpClient,
  registry: URL,
  challenges: readonly Challenge[],
  scope: string,
  credentials: Credentials | undefined,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
  if (bearer !== undefined) return `Bearer ${await fetchToken(http, registry, bearer, scope, credentials, signal)}`;
  const basic = challenges.some(({ scheme }) => scheme === 'basic');
  return basic && credentials?.kind === 'basic' ? basicHeader(credentials) : undefined;
}

async function fetchToken(
  http: HttpClient,
  registry: URL,
  { parameters }: Challenge,
  scope: string,
  credentials: Credentials | undefined,
  signal?: AbortSignal,
): Promise<string> {
  const realm = parseUrl(parameters['realm'] ?? '');
  if (realm === undefined || !/^https?:$/.test(realm.protocol)) throw failed(registry, 'its challenge names no token server');
  // Else a forged challenge would make us send the password in the clear.
  if (credentials !== undefined && realm.protocol === 'http:' && registry.protocol === 'https:') {
    throw failed(registry, `its token server "${realm.host}" has no TLS, and credentials would be sent to it`);
  }
  const wanted = { service: parameters['service'] ?? '', scope: parameters['scope'] ?? scope };
  const response =
    credentials?.kind === 'identity'
      ? await post(http, realm, wanted, credentials.token, signal)
      : await get(http, realm, wanted, credentials, signal);
  const body = await readLimited(response, 1024 * 1024);
  if (response.statusCode === 401 || response.statusCode === 403) {
    throw new RootlessError({
      code: 'REGISTRY_UNAUTHORIZED',
      message: `registry "${registry.host}" refused the login`,
      why: `its token server "${realm.host}" answered ${response.statusCode} ${credentials === undefined ? 'without credentials' : 'to the stored credentials'}`,
    });
  }
  if (response.statusCode !== 200) throw failed(registry, `its token server "${realm.host}" answered ${response.statusCode}`);
  return parseJson(body, 'REGISTRY_AUTH_FAILED', `answer of token server "${realm.host}"`, (root) => {
    const token = optionalText(root, 'token') || optionalText(root, 'access_token');
    if (!token || /[^\x21-\x7e]/.test(token)) throw failed(registry, `its token server "${realm.host}" gave no token`);
    return token;
  });
}

function get(
  http: HttpClient,
  realm: URL,
  wanted: { service: string; scope: string },
  credentials: Extract<Credentials, { kind: 'basic' }> | undefined,
  signal?: AbortSignal,
) {
  const url = new URL(realm);
  if (wanted.service !== '') url.searchParams.set('service', wanted.service);
  url.searchParams.set('scope', wanted.scope);
  if (credentials !== undefined) url.searchParams.set('account', credentials.username);
  return http.send(url, { headers: credentials === undefined ? {} : { authorization: basicHeader(credentials) }, signal });
}

function post(http: HttpClient, realm: URL, wanted: { service: string; scope: string }, token: string, signal?: AbortSignal) {
  const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'rootless', refresh_token: token, ...wanted });
  return http.send(realm, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
    signal,
  });
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
