/** One file of credentials: docker's config.json or containers-auth.json(5), which have the same form. What is not ours in it stays. */

import { readFileSync, realpathSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fileReason } from '../errno.ts';
import { RootlessError } from '../errors.ts';
import { writePrivately } from './atomic.ts';
import type { Credentials } from './credentials.ts';
import { type Fields, optionalObject, optionalText, parseJson, textMap } from './json.ts';
import { withLock } from './lock.ts';
import { makeFolders } from '../paths.ts';

export type AuthFile = {
  readonly path: string;
  /** By normalized key: no scheme, no slash at the end. */
  readonly auths: ReadonlyMap<string, Credentials>;
  /** All keys of `auths`, normalized, also those without credentials: the mark of a helper. */
  readonly known: ReadonlySet<string>;
  readonly helpers: Readonly<Record<string, string>>;
  readonly store: string | undefined;
};

/** Undefined when there is no such file, or nothing in it. @throws RootlessError AUTH_FILE_INVALID */
export function readAuthFile(path: string): AuthFile | undefined {
  const text = readText(path);
  if (text === undefined) return undefined;
  return parseJson(text, 'AUTH_FILE_INVALID', `credentials file "${path}"`, (root) => {
    const auths = optionalObject(root, 'auths');
    const keys = Object.keys(auths?.value ?? {});
    const entries = keys.flatMap((key) => {
      const entry = auths && optionalObject(auths, key);
      const credentials = entry && readEntry(entry);
      return credentials === undefined ? [] : [[normalizeKey(key), credentials] as const];
    });
    return {
      path,
      auths: new Map(entries),
      known: new Set(keys.map(normalizeKey)),
      helpers: textMap(root, 'credHelpers'),
      store: optionalText(root, 'credsStore') || undefined,
    };
  });
}

/**
 * Replaces what the file says of a server: `entry` undefined takes it away. The file is private afterwards, and a link stays a link.
 * @throws RootlessError AUTH_FILE_INVALID, AUTH_FILE_UNWRITABLE
 */
export async function changeAuthFile(path: string, server: string, entry: object | undefined): Promise<void> {
  await rewrite(path, (auths) => {
    const others = Object.entries(auths).filter(([key]) => normalizeKey(key) !== normalizeKey(server));
    return Object.fromEntries(entry === undefined ? others : [...others, [server, entry]]);
  });
}

/** @throws RootlessError AUTH_FILE_INVALID, AUTH_FILE_UNWRITABLE */
export function clearAuthFile(path: string): Promise<void> {
  return rewrite(path, () => ({}));
}

async function rewrite(path: string, change: (auths: object) => object): Promise<void> {
  try {
    makeFolders(dirname(path), 0o700);
    await withLock(`${path}.lock`, () => {
      const whole = parseJson(readText(path) ?? '{}', 'AUTH_FILE_INVALID', `credentials file "${path}"`, (root) => ({
        rest: root.value,
        auths: optionalObject(root, 'auths')?.value ?? {},
      }));
      writePrivately(target(path), `${JSON.stringify({ ...whole.rest, auths: change(whole.auths) }, undefined, '\t')}\n`);
    });
  } catch (cause) {
    if (cause instanceof RootlessError) throw cause;
    throw new RootlessError({
      code: 'AUTH_FILE_UNWRITABLE',
      message: `cannot write the credentials file "${path}"`,
      why: fileReason(cause),
      cause,
    });
  }
}

/** What docker calls Docker Hub in its own file, and podman in its. */
export function serverName(path: string, place: string): string {
  return place === 'docker.io' && basename(path) === 'config.json' ? 'https://index.docker.io/v1/' : place;
}

/** The entry of a server that no helper keeps. */
export function entryOf(credentials: Credentials): object {
  if (credentials.kind === 'basic') return { auth: encode(`${credentials.username}:${credentials.password}`) };
  return { auth: encode(`${credentials.username ?? ''}:`), identitytoken: credentials.token };
}

export function normalizeKey(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/\/+$/, '');
}

function readText(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    return text.trim() === '' ? undefined : text;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // A folder that may not be looked into is no reason to fail: there are other files.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return undefined;
    throw error;
  }
}

function readEntry(entry: Fields): Credentials | undefined {
  const auth = optionalText(entry, 'auth');
  const pair = Buffer.from(auth ?? '', 'base64')
    .toString('utf8')
    .replace(/\0+$/, '');
  const colon = pair.indexOf(':');
  const username = colon < 1 ? undefined : pair.slice(0, colon);
  const identity = optionalText(entry, 'identitytoken');
  if (identity) return { kind: 'identity', token: identity, username };
  return username === undefined ? undefined : { kind: 'basic', username, password: pair.slice(colon + 1) };
}

function encode(pair: string): string {
  return Buffer.from(pair).toString('base64');
}

function target(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
