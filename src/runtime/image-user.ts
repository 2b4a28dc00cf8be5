/** `USER[:GROUP]` of an image as numbers, by the rule that the helper has when the program starts. */

import { readLayerFile } from './layer-file.ts';
import type { Layers } from './root.ts';

export type UserIds = { readonly uid: number; readonly gid: number };

/** Undefined for a name that its /etc/passwd and /etc/group do not have. */
export function findUser(layers: Layers, wish: string): UserIds | undefined {
  const [user = '', group] = wish === '' ? ['0'] : wish.split(/:(.*)/s);
  const name = user === '' ? '0' : user;
  if (isId(name) && group !== undefined && isId(group)) return { uid: Number(name), gid: Number(group) };
  const entry = findEntry(readLayerFile(layers, 'etc/passwd') ?? '', name);
  const uid = entry?.uid ?? (isId(name) ? Number(name) : undefined);
  const gid = group ? findGroup(layers, group) : (entry?.gid ?? 0);
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

/** Names first, then numbers: a name may be made of digits. */
function findEntry(passwd: string, name: string): UserIds | undefined {
  const entries = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 6 && isId(fields[2] ?? '') && isId(fields[3] ?? ''));
  const entry = entries.find(([known]) => known === name) ?? entries.find((fields) => isId(name) && Number(fields[2]) === Number(name));
  return entry && { uid: Number(entry[2]), gid: Number(entry[3]) };
}

function findGroup(layers: Layers, name: string): number | undefined {
  const lines = (readLayerFile(layers, 'etc/group') ?? '').split('\n').map((line) => line.split(':'));
  const named = lines.find((fields) => fields[0] === name && isId(fields[2] ?? ''))?.[2];
  return named !== undefined ? Number(named) : isId(name) ? Number(name) : undefined;
}

/** 2^32-1 is "no id". */
function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff;
}
