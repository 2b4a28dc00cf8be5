/** `--mount type=bind|volume|tmpfs|image|devpts|ramfs,source=…,target=…`: docker's keys, and podman's. */

import type { MountRequest } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';
import { parseBytes } from './bytes.ts';
import { parseLabel } from './env.ts';
import { refuseIdmap } from './idmap.ts';
import { flag, type Keys, readKeys } from './mount-keys.ts';
import { parseTarget } from './path.ts';
import { hostPath, parseVolumeName } from './volume.ts';

type Common = { readonly target: string; readonly readOnly: boolean };

export function parseMount(text: string): MountRequest {
  const { type, values } = readKeys(text);
  if (!values['target']) throw new BadValue('target is required');
  if (values['idmap'] !== undefined) refuseIdmap();
  const common = { target: parseTarget(values['target']), readOnly: isReadOnly(values, type === 'image') };
  switch (type) {
    case 'bind':
      return bind(values, common);
    case 'volume':
      return volume(values, common);
    case 'image':
      return image(values, common);
    default:
      return memory(values, common, type);
  }
}

/** An image is shown as it is unless something else is said. */
function isReadOnly(values: Keys, otherwise: boolean): boolean {
  const [readOnly, writable] = [flag(values, 'readonly'), flag(values, 'rw')];
  if (readOnly !== undefined && writable !== undefined && readOnly === writable) {
    throw new BadValue("cannot pass 'readonly' and 'rw' together: they contradict each other");
  }
  return readOnly ?? (writable === undefined ? otherwise : !writable);
}

function bind(values: Keys, common: Common): MountRequest {
  const source = values['source'];
  if (!source) throw new BadValue('source is required for a bind mount');
  if (!/^[/.]/.test(source)) throw new BadValue(`invalid mount path: '${source}' mount path must be absolute`);
  const { propagation, relabel } = values;
  if (propagation !== undefined && !/^r?(shared|slave|private)$/.test(propagation)) {
    throw new BadValue(`invalid propagation mode: ${propagation}`);
  }
  checkRelabel(relabel);
  const options = [...recursion(values, common.readOnly), ...(propagation === undefined ? [] : [propagation]), ...attributes(values)];
  return { kind: 'bind', source: hostPath(source), ...common, options, createSource: flag(values, 'create') === true, ...extras(values) };
}

/** docker's `bind-recursive`, and its older word for `disabled`. */
function recursion(values: Keys, readOnly: boolean): string[] {
  const how = flag(values, 'nonrecursive') ? 'disabled' : (values['recursive'] ?? 'enabled');
  switch (how) {
    case 'enabled':
    case 'writable':
      return [];
    case 'disabled':
      return ['bind'];
    case 'readonly':
      if (!readOnly) throw new BadValue('option bind-recursive=readonly requires option readonly to be specified in conjunction');
      return ['rro'];
    default:
      throw new BadValue(`invalid value for bind-recursive: ${how} (must be "enabled", "disabled", "writable", or "readonly")`);
  }
}

function volume(values: Keys, common: Common): MountRequest {
  const name = values['source'] || undefined;
  const { driver, relabel } = values;
  if (driver !== undefined && driver !== 'local' && driver !== '') {
    throw new BadValue(`error looking up volume plugin ${driver}: plugin "${driver}" not found`, { fix: 'there is only "local"' });
  }
  checkRelabel(relabel);
  const options = attributes(values);
  const labels = lines(values['label']).map(parseLabel);
  const driverOptions = lines(values['opt']).map((pair) => [pair.split('=', 1)[0] ?? '', pair.slice(pair.indexOf('=') + 1)] as const);
  return {
    kind: 'volume',
    ...common,
    ...(name === undefined ? {} : { name: parseVolumeName(name) }),
    ...(options.length === 0 ? {} : { options }),
    ...(flag(values, 'nocopy') ? { noCopy: true as const } : {}),
    ...(labels.length === 0 ? {} : { labels: Object.fromEntries(labels) }),
    ...(driverOptions.length === 0 ? {} : { driverOptions: Object.fromEntries(driverOptions) }),
    ...extras(values),
  };
}

function image(values: Keys, common: Common): MountRequest {
  const source = values['source'];
  if (!source) throw new BadValue('source is required for an image mount');
  const options = attributes(values);
  return { kind: 'image', source, ...common, ...(options.length === 0 ? {} : { options }), ...extras(values) };
}

function memory(values: Keys, { target, readOnly }: Common, filesystem: 'tmpfs' | 'ramfs' | 'devpts'): MountRequest {
  if (values['source'] !== undefined) throw new BadValue(`a ${filesystem} mount has no source`);
  const { mode, size } = values;
  if (mode !== undefined && !/^[0-7]{1,5}$/.test(mode)) throw new BadValue(`invalid value for tmpfs-mode: ${mode}`);
  const numbers = ['uid', 'gid', 'max'].filter((name) => values[name] !== undefined);
  const bad = numbers.find((name) => !/^\d{1,10}$/.test(values[name] ?? ''));
  if (bad !== undefined) throw new BadValue(`invalid value for ${bad}: ${values[bad]}`);
  const options = [
    ...(readOnly ? ['ro'] : []),
    ...(size === undefined ? [] : [`size=${parseBytes(size)}`]),
    ...(mode === undefined ? [] : [`mode=${mode}`]),
    ...numbers.map((name) => `${name}=${values[name]}`),
    ...(flag(values, 'tmpcopyup') ? ['tmpcopyup'] : []),
    ...attributes(values),
  ];
  return { kind: 'tmpfs', target, options, ...(filesystem === 'tmpfs' ? {} : { filesystem }) };
}

function extras(values: Keys): { subpath?: string; chown?: true } {
  const { subpath } = values;
  return {
    ...(subpath === undefined ? {} : { subpath: checkSubpath(subpath) }),
    ...(flag(values, 'chown') ? { chown: true as const } : {}),
  };
}

/** docker's rule: below the source, whatever it is called there. */
function checkSubpath(text: string): string {
  const path = text.replace(/^\/+/, '');
  if (path !== '' && !path.split('/').includes('..') && !path.includes('\0')) return path;
  throw new BadValue(`invalid subpath '${text}': must be a relative path within the volume`);
}

function attributes(values: Keys): string[] {
  return ['noexec', 'exec', 'nosuid', 'suid', 'nodev', 'dev'].filter((name) => flag(values, name));
}

function checkRelabel(text: string | undefined): void {
  // Nothing is labelled without SELinux, as with :z and :Z.
  if (text !== undefined && text !== 'shared' && text !== 'private') throw new BadValue(`invalid value for relabel: ${text}`);
}

function lines(text: string | undefined): string[] {
  return text === undefined ? [] : text.split('\n');
}
