/** `--mount type=bind|volume|tmpfs,source=…,target=…`: docker's keys. */

import type { MountRequest } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';
import { parseBytes } from './bytes.ts';
import { parseCsv } from './csv.ts';
import { parseTarget } from './path.ts';
import { hostPath, parseVolumeName } from './volume.ts';

const names: Record<string, string> = Object.assign(Object.create(null), {
  type: 'type',
  source: 'source',
  src: 'source',
  target: 'target',
  dst: 'target',
  destination: 'target',
  readonly: 'readonly',
  ro: 'readonly',
  consistency: 'consistency',
  'bind-propagation': 'bind-propagation',
  'bind-nonrecursive': 'bind-nonrecursive',
  'tmpfs-size': 'tmpfs-size',
  'tmpfs-mode': 'tmpfs-mode',
});

type Keys = Readonly<Record<string, string>>;

export function parseMount(text: string): MountRequest {
  const keys = readKeys(text);
  const type = keys['type'] ?? 'volume';
  const target = keys['target'];
  if (type !== 'bind' && type !== 'volume' && type !== 'tmpfs') {
    throw new BadValue(`mount type unknown: "${type}"`, { fix: 'types are bind, volume and tmpfs' });
  }
  for (const key of Object.keys(keys)) {
    if (/^(bind|tmpfs)-/.test(key) && !key.startsWith(`${type}-`)) throw new BadValue(`cannot mix '${key}' with mount type '${type}'`);
  }
  if (target === undefined || target === '') throw new BadValue('target is required');
  const readOnly = flag(keys, 'readonly');
  if (type === 'tmpfs') return tmpfs(keys, parseTarget(target), readOnly);
  if (type === 'bind') return bind(keys, parseTarget(target), readOnly);
  const name = keys['source'] || undefined;
  return { kind: 'volume', target: parseTarget(target), readOnly, ...(name === undefined ? {} : { name: parseVolumeName(name) }) };
}

function readKeys(text: string): Keys {
  const keys: Record<string, string> = Object.create(null);
  for (const field of parseCsv(text)) {
    const equals = field.indexOf('=');
    const key = (equals === -1 ? field : field.slice(0, equals)).toLowerCase();
    const name = names[key];
    if (name === undefined) throw new BadValue(`unexpected key '${key}' in '${field}'`);
    const bare = name === 'readonly' || name === 'bind-nonrecursive';
    if (equals === -1 && !bare) throw new BadValue(`invalid field '${field}' must be a key=value pair`);
    keys[name] = equals === -1 ? 'true' : field.slice(equals + 1);
  }
  return keys;
}

function bind(keys: Keys, target: string, readOnly: boolean): MountRequest {
  const source = keys['source'];
  if (source === undefined || source === '') throw new BadValue('source is required for a bind mount');
  if (!/^[/.]/.test(source)) throw new BadValue(`invalid mount path: '${source}' mount path must be absolute`);
  const propagation = keys['bind-propagation'];
  if (propagation !== undefined && !/^r?(shared|slave|private)$/.test(propagation)) {
    throw new BadValue(`invalid propagation mode: ${propagation}`);
  }
  const options = [...(flag(keys, 'bind-nonrecursive') ? ['bind'] : []), ...(propagation === undefined ? [] : [propagation])];
  return { kind: 'bind', source: hostPath(source), target, readOnly, options, createSource: false };
}

function tmpfs(keys: Keys, target: string, readOnly: boolean): MountRequest {
  if (keys['source'] !== undefined) throw new BadValue('a tmpfs mount has no source');
  const mode = keys['tmpfs-mode'];
  if (mode !== undefined && !/^[0-7]{1,5}$/.test(mode)) throw new BadValue(`invalid value for tmpfs-mode: ${mode}`);
  const size = keys['tmpfs-size'];
  const options = [
    ...(readOnly ? ['ro'] : []),
    ...(size === undefined ? [] : [`size=${parseBytes(size)}`]),
    ...(mode === undefined ? [] : [`mode=${mode}`]),
  ];
  return { kind: 'tmpfs', target, options };
}

function flag(keys: Keys, name: string): boolean {
  const text = keys[name];
  if (text === undefined || /^(0|f|false)$/i.test(text)) return false;
  if (/^(1|t|true)$/i.test(text)) return true;
  throw new BadValue(`invalid value for ${name}: ${text}`);
}
