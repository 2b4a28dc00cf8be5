/** Secrets of this user, $DATA/secrets/NAME: a JSON file each, which only its owner can read. */

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { makeFolders, type Paths } from '../paths.ts';
import { newId } from './ids.ts';
import { replace } from './replace.ts';

export type Secret = {
  /** 25 hex digits. */
  readonly id: string;
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  readonly updated: string;
  readonly labels: Readonly<Record<string, string>>;
  /** base64 */
  readonly data: string;
};

/** docker's and podman's: more is no secret but a file. */
export const secretLimit = 512_000;

const folderOf = (paths: Paths): string => join(paths.data, 'secrets');

/** @throws RootlessError SECRET_NAME_INVALID, SECRET_SIZE_INVALID, SECRET_IN_USE unless `replacing` */
export function createSecret(
  paths: Paths,
  name: string,
  data: Uint8Array,
  labels: Readonly<Record<string, string>>,
  replacing: boolean,
): Secret {
  checkName(name);
  if (data.length === 0 || data.length >= secretLimit) {
    throw new RootlessError({
      code: 'SECRET_SIZE_INVALID',
      message: `cannot keep secret "${name}": it has ${data.length} bytes`,
      why: `secrets have 1 to ${secretLimit - 1} bytes`,
    });
  }
  const old = readSecret(paths, name);
  if (old !== undefined && !replacing) {
    throw new RootlessError({
      code: 'SECRET_IN_USE',
      message: `secret "${name}" already exists`,
      fix: `rootless secret rm ${name}, or --replace`,
    });
  }
  const now = new Date().toISOString();
  const secret = { id: newId().slice(0, 25), name, created: now, updated: now, labels, data: Buffer.from(data).toString('base64') };
  makeFolders(folderOf(paths), 0o700);
  replace(join(folderOf(paths), name), JSON.stringify(secret));
  return secret;
}

/** Oldest first. */
export function listSecrets(paths: Paths): Secret[] {
  return names(paths)
    .flatMap((name) => readSecret(paths, name) ?? [])
    .sort((a, b) => a.created.localeCompare(b.created));
}

/** By name, id or unique beginning of an id. @throws RootlessError SECRET_NOT_FOUND */
export function findSecret(paths: Paths, wanted: string): Secret {
  const named = readSecret(paths, wanted);
  if (named) return named;
  const found = wanted === '' ? [] : listSecrets(paths).filter(({ id }) => id.startsWith(wanted));
  if (found[0] !== undefined && found.length === 1) return found[0];
  throw new RootlessError({
    code: 'SECRET_NOT_FOUND',
    message: `no such secret: "${wanted}"`,
    why: found.length > 1 ? `it begins the ids of ${found.length} secrets` : undefined,
    fix: 'rootless secret ls',
  });
}

export function removeSecret(paths: Paths, { name }: Secret): void {
  rmSync(join(folderOf(paths), name), { force: true });
}

function readSecret(paths: Paths, name: string): Secret | undefined {
  if (!isName(name)) return undefined;
  try {
    const secret = JSON.parse(readFileSync(join(folderOf(paths), name), 'utf8')) as Secret;
    const texts = [secret.id, secret.name, secret.created, secret.updated, secret.data];
    return texts.every((text) => typeof text === 'string') && secret.name === name ? secret : undefined;
  } catch {
    return undefined;
  }
}

function names(paths: Paths): string[] {
  try {
    return readdirSync(folderOf(paths));
  } catch {
    return [];
  }
}

function isName(name: string): boolean {
  return /^[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,62}[a-zA-Z0-9])?$/.test(name) && !name.endsWith('.tmp');
}

function checkName(name: string): void {
  if (isName(name)) return;
  throw new RootlessError({
    code: 'SECRET_NAME_INVALID',
    message: `invalid secret name "${name}"`,
    why: 'a name has 1 to 64 letters, digits, "_", "." or "-", and begins and ends with a letter or digit',
  });
}
