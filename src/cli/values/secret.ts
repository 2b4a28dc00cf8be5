/** `--secret NAME[,type=mount|env,target=…,uid=…,gid=…,mode=…]`: podman's. */

import type { SecretRequest } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';
import { parseCsv } from './csv.ts';

const keys = ['source', 'src', 'id', 'type', 'target', 'uid', 'gid', 'mode'];

export function parseSecret(text: string): SecretRequest {
  const given: Record<string, string> = Object.create(null);
  for (const [index, field] of parseCsv(text).entries()) {
    const equals = field.indexOf('=');
    const key = equals === -1 ? (index === 0 ? 'source' : field) : field.slice(0, equals);
    if (!keys.includes(key)) throw new BadValue(`option "${field}" is not known`, { fix: `NAME,type=mount|env,target=,uid=,gid=,mode=` });
    given[key === 'src' || key === 'id' ? 'source' : key] = equals === -1 ? field : field.slice(equals + 1);
  }
  const name = given['source'] ?? '';
  if (name === '') throw new BadValue('no secret is named', { fix: '--secret NAME' });
  return { name, ...shape(given, name) };
}

function shape(given: Readonly<Record<string, string>>, name: string): Omit<SecretRequest, 'name'> {
  const as = given['type'] ?? 'mount';
  if (as !== 'mount' && as !== 'env') throw new BadValue(`type "${as}" is not known`, { fix: 'types are mount and env' });
  const extra = ['uid', 'gid', 'mode'].find((key) => given[key] !== undefined);
  if (as === 'env' && extra !== undefined) throw new BadValue(`${extra} cannot be set with type=env`);
  const target = given['target'] || name;
  if (as === 'env' && !/^[^=\0]+$/.test(target)) throw new BadValue(`"${target}" is no name of a variable`);
  return { as, target, uid: id(given, 'uid'), gid: id(given, 'gid'), mode: mode(given['mode'] ?? '0444') };
}

function id(given: Readonly<Record<string, string>>, key: 'uid' | 'gid'): number {
  const text = given[key] ?? '0';
  if (/^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff) return Number(text);
  throw new BadValue(`${key} "${text}" is not a number`);
}

function mode(text: string): number {
  if (/^0?[0-7]{1,4}$/.test(text)) return Number.parseInt(text, 8);
  throw new BadValue(`mode "${text}" is not octal`, { fix: 'mode=0400' });
}
