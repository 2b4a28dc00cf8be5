/** Credentials for a registry, from the files and helpers of docker and podman: looked up, stored and taken away. */

import { existsSync } from 'node:fs';
import { changeAuthFile, type AuthFile, clearAuthFile, entryOf, normalizeKey, readAuthFile, serverName } from './credential-file.ts';
import { eraseFromHelper, getFromHelper, listHelper, storeInHelper } from './credential-helper.ts';

/** What credentials are for: a registry, or one of its namespaces. */
export type Place = { readonly registry: string; readonly repository: string };

export type Credentials =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token. */
  | { readonly kind: 'identity'; readonly token: string; readonly username?: string | undefined };

/** The first file that knows the registry, or undefined: anonymous. @throws RootlessError AUTH_FILE_INVALID */
export async function findCredentials(files: readonly string[], place: Place, signal?: AbortSignal): Promise<Credentials | undefined> {
  for (const file of files) {
    const found = await lookUp(readAuthFile(file), place, signal);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function lookUp(file: AuthFile | undefined, place: Place, signal?: AbortSignal): Promise<Credentials | undefined> {
  if (file === undefined) return undefined;
  const helper = helperFor(file, place);
  const held = helper === undefined ? undefined : await getFromHelper(helper, helperServer(place), signal);
  if (held !== undefined) return held;
  return keysFor(place)
    .map((key) => file.auths.get(key))
    .find((credentials) => credentials !== undefined);
}

export type Kept = { readonly file: string; readonly helper: string | undefined };

/**
 * Keeps credentials where they will be found: in the first file that knows the place, else in docker's if there is one, else in the
 * first of all. A helper that the file names for the place gets the secret, and the file a mark.
 * @throws RootlessError AUTH_FILE_INVALID, AUTH_FILE_UNWRITABLE, AUTH_HELPER_FAILED
 */
export async function storeCredentials(files: readonly string[], place: Place, credentials: Credentials): Promise<Kept> {
  const file = fileFor(files, place);
  const known = readAuthFile(file);
  const helper = known && helperFor(known, place);
  if (helper !== undefined) await storeInHelper(helper, helperServer(place), credentials);
  await changeAuthFile(file, serverName(file, nameOf(place)), helper === undefined ? entryOf(credentials) : {});
  return { file, helper };
}

/** Takes the credentials of exactly this place out of every file and helper. @returns the files that had some */
export async function eraseCredentials(files: readonly string[], place: Place): Promise<string[]> {
  const names = namesOf(place);
  const changed: string[] = [];
  for (const path of files) {
    const file = readAuthFile(path);
    if (file === undefined) continue;
    const helper = helperFor(file, place);
    const held = helper !== undefined && (await getFromHelper(helper, helperServer(place))) !== undefined;
    if (helper !== undefined && held) await eraseFromHelper(helper, helperServer(place));
    const written = names.filter((name) => file.known.has(name));
    for (const name of written) await changeAuthFile(path, name, undefined);
    if (held || written.length > 0) changed.push(path);
  }
  return changed;
}

/** Takes all credentials away. @returns the files that had some */
export async function eraseAll(files: readonly string[]): Promise<string[]> {
  const changed: string[] = [];
  for (const path of files) {
    const file = readAuthFile(path);
    if (file === undefined) continue;
    const helpers = [...new Set([...Object.values(file.helpers), ...(file.store === undefined ? [] : [file.store])])];
    for (const helper of helpers) for (const server of await listHelper(helper)) await eraseFromHelper(helper, server);
    if (file.known.size > 0) await clearAuthFile(path);
    if (helpers.length > 0 || file.known.size > 0) changed.push(path);
  }
  return changed;
}

/** Names under which a registry may be listed, most specific first: podman's are paths, docker's may be URLs. */
export function keysFor({ registry, repository }: Place): string[] {
  const parts = repository.split('/').filter(Boolean);
  const paths = parts.map((_, index) => [registry, ...parts.slice(0, parts.length - index)].join('/'));
  return [...paths, registry, ...aliasesOf(registry)];
}

function aliasesOf(registry: string): string[] {
  return registry === 'docker.io'
    ? ['index.docker.io/v1', 'index.docker.io', 'registry-1.docker.io']
    : [`${registry}/v1`, `${registry}/v2`];
}

/** The names of exactly this place. */
function namesOf(place: Place): string[] {
  return place.repository === '' ? [place.registry, ...aliasesOf(place.registry)] : [nameOf(place)];
}

function nameOf({ registry, repository }: Place): string {
  return repository === '' ? registry : `${registry}/${repository}`;
}

function helperFor(file: AuthFile, place: Place): string | undefined {
  const helpers = new Map(Object.entries(file.helpers).map(([key, name]) => [normalizeKey(key), name]));
  return (
    keysFor(place)
      .map((key) => helpers.get(key))
      .find((name) => name !== undefined && name !== '') ?? file.store
  );
}

/** Helpers know whole registries. */
function helperServer({ registry }: Place): string {
  return registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry;
}

function fileFor(files: readonly string[], place: Place): string {
  const names = namesOf(place);
  const knows = files.find((path) => {
    const file = readAuthFile(path);
    return file !== undefined && (names.some((name) => file.known.has(name)) || helperFor(file, place) !== undefined);
  });
  const docker = files.find((path) => path.endsWith('/config.json') && existsSync(path));
  return knows ?? docker ?? files[0] ?? '';
}
