/** Secrets as a container gets them: files below /run/secrets with an owner of the container, or variables. */

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { RootlessError } from '../errors.ts';
import { runHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import type { OwnMount } from './mounts.ts';
import type { Mapping, SecretRequest } from './options.ts';
import { removeTree } from './folders.ts';
import { findSecret } from './secrets.ts';

/** @throws RootlessError SECRET_NOT_FOUND, SECRET_OWNER_UNMAPPED */
export async function secretFiles(paths: Paths, folder: string, secrets: readonly SecretRequest[], mapping: Mapping): Promise<OwnMount[]> {
  const place = join(folder, 'secrets');
  await removeTree(paths, place, mapping.idMap);
  const mounted = secrets.filter((secret) => secret.as === 'mount');
  if (mounted.length === 0) return [];
  mkdirSync(place, { mode: 0o711 });
  const files = mounted.map((secret, index) => {
    const source = join(place, String(index));
    writeFileSync(source, Buffer.from(findSecret(paths, secret.name).data, 'base64'), { mode: 0o600 });
    chmodSync(source, secret.mode);
    return { secret, source };
  });
  for (const { secret, source } of files) await give(paths, source, secret, mapping);
  return files.map(({ secret, source }) => ({ source, target: posix.resolve('/run/secrets', secret.target), readOnly: true }));
}

/** `NAME=VALUE`. @throws RootlessError SECRET_NOT_FOUND */
export function secretVariables(paths: Paths, secrets: readonly SecretRequest[]): string[] {
  return secrets
    .filter((secret) => secret.as === 'env')
    .map(({ name, target }) => `${target}=${Buffer.from(findSecret(paths, name).data, 'base64').toString()}`);
}

/** chown(2) takes set-user-id bits away, so the mode is set once more. */
async function give(paths: Paths, file: string, { name, uid, gid, mode }: SecretRequest, mapping: Mapping): Promise<void> {
  if (isOwn(mapping, uid, gid)) return;
  const line = 'chown "$1" "$3" && chmod "$2" "$3"';
  const command = ['/bin/sh', '-c', line, 'sh', `${uid}:${gid}`, mode.toString(8), file];
  const { code, stderr } = await runHelper(paths, ['unshare', '--idmap', JSON.stringify(mapping.idMap), '--', ...command]);
  if (code === 0) return;
  throw new RootlessError({
    code: 'SECRET_OWNER_UNMAPPED',
    message: `cannot give secret "${name}" to ${uid}:${gid}`,
    why: stderr.trim().split('\n').at(-1) || 'the ids are not mapped in this container',
  });
}

/** What this process writes belongs to that id already. */
function isOwn({ idMap }: Mapping, uid: number, gid: number): boolean {
  const holds = (extents: Mapping['idMap']['uid'], id: number, own: number | undefined) =>
    extents.some(({ containerID, hostID, size }) => id >= containerID && id < containerID + size && hostID + id - containerID === own);
  return holds(idMap.uid, uid, process.getuid?.()) && holds(idMap.gid, gid, process.getgid?.());
}
