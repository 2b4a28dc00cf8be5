/** The keys of `--mount`: their spellings, and to which types of mount each belongs. */

import { BadValue } from './bad.ts';
import { parseCsv } from './csv.ts';

export type MountType = 'bind' | 'volume' | 'tmpfs' | 'image' | 'devpts' | 'ramfs';
export type Keys = Readonly<Record<string, string>>;

const everywhere: readonly MountType[] = ['bind', 'volume', 'tmpfs', 'image', 'devpts', 'ramfs'];
const files: readonly MountType[] = ['bind', 'volume'];
const memory: readonly MountType[] = ['tmpfs', 'ramfs'];

type Key = { readonly name: string; readonly types: readonly MountType[]; readonly bare?: true };

const keys: Readonly<Record<string, Key>> = Object.assign(Object.create(null), {
  type: { name: 'type', types: everywhere },
  ...spellings(['source', 'src'], { name: 'source', types: everywhere }),
  ...spellings(['target', 'dst', 'destination'], { name: 'target', types: everywhere }),
  ...spellings(['readonly', 'ro'], { name: 'readonly', types: everywhere, bare: true }),
  ...spellings(['rw', 'readwrite'], { name: 'rw', types: everywhere, bare: true }),
  consistency: { name: 'consistency', types: everywhere },
  'bind-propagation': { name: 'propagation', types: ['bind'] },
  'bind-nonrecursive': { name: 'nonrecursive', types: ['bind'], bare: true },
  'bind-recursive': { name: 'recursive', types: ['bind'] },
  'bind-create-src': { name: 'create', types: ['bind'], bare: true },
  relabel: { name: 'relabel', types: files },
  ...spellings(['u', 'chown'], { name: 'chown', types: files, bare: true }),
  ...spellings(['volume-subpath', 'subpath', 'image-subpath'], { name: 'subpath', types: ['bind', 'volume', 'image'] }),
  'volume-nocopy': { name: 'nocopy', types: ['volume'], bare: true },
  'volume-driver': { name: 'driver', types: ['volume'] },
  'volume-label': { name: 'label', types: ['volume'] },
  'volume-opt': { name: 'opt', types: ['volume'] },
  'tmpfs-size': { name: 'size', types: memory },
  'tmpfs-mode': { name: 'mode', types: memory },
  tmpcopyup: { name: 'tmpcopyup', types: memory, bare: true },
  notmpcopyup: { name: 'notmpcopyup', types: memory, bare: true },
  idmap: { name: 'idmap', types: files, bare: true },
  ...Object.fromEntries(
    ['noexec', 'exec', 'nosuid', 'suid', 'nodev', 'dev'].map((name) => [name, { name, types: everywhere, bare: true }]),
  ),
  uid: { name: 'uid', types: ['devpts'] },
  gid: { name: 'gid', types: ['devpts'] },
  mode: { name: 'mode', types: ['devpts'] },
  max: { name: 'max', types: ['devpts'] },
});

/** What can be said more than once, as one text with a line each. */
const repeated = new Set(['label', 'opt']);

export function readKeys(text: string): { readonly type: MountType; readonly values: Keys } {
  const values: Record<string, string> = Object.create(null);
  const typed: { readonly key: string; readonly types: readonly MountType[] }[] = [];
  for (const field of parseCsv(text)) {
    const equals = field.indexOf('=');
    const key = (equals === -1 ? field : field.slice(0, equals)).toLowerCase();
    const known = keys[key];
    if (known === undefined) throw new BadValue(`unexpected key '${key}' in '${field}'`);
    if (equals === -1 && !known.bare) throw new BadValue(`invalid field '${field}' must be a key=value pair`);
    const value = equals === -1 ? 'true' : field.slice(equals + 1);
    const before = values[known.name];
    values[known.name] = repeated.has(known.name) && before !== undefined ? `${before}\n${value}` : value;
    typed.push({ key, types: known.types });
  }
  const type = values['type'] ?? 'volume';
  if (!isType(type)) throw new BadValue(`mount type unknown: "${type}"`, { fix: `types are ${everywhere.join(', ')}` });
  const stray = typed.find(({ types }) => !types.includes(type));
  if (stray !== undefined) throw new BadValue(`cannot mix '${stray.key}' with mount type '${type}'`);
  return { type, values };
}

/** A key that is true or false; undefined when it was not given. */
export function flag(values: Keys, name: string): boolean | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  if (/^(0|f|false)$/i.test(text)) return false;
  if (/^(1|t|true)$/i.test(text)) return true;
  throw new BadValue(`invalid value for ${name}: ${text}`);
}

function isType(text: string): text is MountType {
  return (everywhere as readonly string[]).includes(text);
}

function spellings(names: readonly string[], key: Key): Record<string, Key> {
  return Object.fromEntries(names.map((name) => [name, key]));
}
