/** Credentials for a registry, from the files and helpers of docker and podman (docker config.json, containers-auth.json(5)). */

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { RootlessError } from '../errors.ts';
import { type Fields, optionalObject, optionalText, parseJson, textMap } from './json.ts';

/** What credentials are looked up for. */
export type Place = { readonly registry: string; readonly repository: string };

export type Credentials =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token. */
  | { readonly kind: 'identity'; readonly token: string };

type AuthFile = {
  readonly auths: ReadonlyMap<string, Credentials>;
  readonly helpers: Readonly<Record<string, string>>;
  readonly store: string | undefined;
};

/** The first file that knows the registry, or undefined: anonymous. @throws RootlessError AUTH_FILE_INVALID */
export async function findCredentials(files: readonly string[], reference: Place, signal?: AbortSignal): Promise<Credentials | undefined> {
  for (const file of files) {
    const found = await lookUp(readAuthFile(file), reference, signal);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function lookUp(file: AuthFile | undefined, reference: Place, signal?: AbortSignal): Promise<Credentials | undefined> {
  if (file === undefined) return undefined;
  const keys = keysFor(reference);
  const helper = keys.map((key) => file.helpers[key]).find((name) => name !== undefined) ?? file.store;
  const server = reference.registry === 'docker.io' ? 'https://index.docker.io/v1/' : reference.registry;
  const held = helper === undefined ? undefined : await askHelper(helper, server, signal);
  if (held !== undefined) return held;
  return keys.map((key) => file.auths.get(key)).find((credentials) => credentials !== undefined);
}

/** Names under which a registry may be listed, most specific first: podman's are paths, docker's may be URLs. */
export function keysFor({ registry, repository }: Place): string[] {
  const parts = repository.split('/').filter(Boolean);
  const paths = parts.map((_, index) => [registry, ...parts.slice(0, parts.length - index)].join('/'));
  const aliases =
    registry === 'docker.io' ? ['index.docker.io/v1', 'index.docker.io', 'registry-1.docker.io'] : [`${registry}/v1`, `${registry}/v2`];
  return [...paths, registry, ...aliases];
}

function readAuthFile(path: string): AuthFile | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  if (text.trim() === '') return undefined;
  return parseJson(text, 'AUTH_FILE_INVALID', `credentials file "${path}"`, (root) => {
    const auths = optionalObject(root, 'auths');
    const entries = Object.keys(auths?.value ?? {}).flatMap((key) => {
      const entry = auths && optionalObject(auths, key);
      const credentials = entry && readEntry(entry);
      return credentials === undefined ? [] : [[normalizeKey(key), credentials] as const];
    });
    return {
      auths: new Map(entries),
      helpers: textMap(root, 'credHelpers'),
      store: optionalText(root, 'credsStore') || undefined,
    };
  });
}

function readEntry(entry: Fields): Credentials | undefined {
  const identity = optionalText(entry, 'identitytoken');
  if (identity) return { kind: 'identity', token: identity };
  const auth = optionalText(entry, 'auth');
  if (!auth) return undefined;
  const pair = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = pair.indexOf(':');
  return colon < 1 ? undefined : { kind: 'basic', username: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

function normalizeKey(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/\/+$/, '');
}

/**
 * The protocol of docker-credential-helpers: the server's name on stdin of `docker-credential-NAME get`, JSON on stdout. A
 * helper that is missing or knows nothing means anonymous: many configurations name one that is only there on a desktop.
 */
async function askHelper(name: string, server: string, signal?: AbortSignal): Promise<Credentials | undefined> {
  if (!/^[A-Za-z0-9_.-]+$/.test(name)) {
    throw new RootlessError({
      code: 'AUTH_FILE_INVALID',
      message: 'a credential helper has an impossible name',
      why: 'it holds more than letters, digits, "_", "." and "-"',
    });
  }
  const output = await new Promise<string | undefined>((resolve) => {
    const child = spawn(`docker-credential-${name}`, ['get'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      ...(signal ? { signal } : {}),
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stdin.on('error', () => {});
    child.once('error', () => resolve(undefined));
    child.once('close', (code) => resolve(code === 0 ? Buffer.concat(chunks).toString() : undefined));
    child.stdin.end(`${server}\n`);
  });
  signal?.throwIfAborted();
  if (output === undefined) return undefined;
  return parseJson(output, 'AUTH_HELPER_FAILED', `answer of docker-credential-${name}`, (root) => {
    const username = optionalText(root, 'Username') ?? '';
    const secret = optionalText(root, 'Secret') ?? '';
    if (secret === '') return undefined;
    return username === '<token>' ? { kind: 'identity', token: secret } : { kind: 'basic', username, password: secret };
  });
}
