/** `-v [SOURCE:]TARGET[:MODE,…]`: a source with a slash is a folder or file of the host, without one a named volume. */

import { resolve } from 'node:path';
import type { MountRequest } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';
import { refuseIdmap } from './idmap.ts';
import { clean, parseTarget } from './path.ts';

const passed = /^(rro|(no)?(exec|suid|dev))$/;
/** Of a folder of the host alone. */
const binding = /^(r?(shared|slave|private|unbindable)|r?bind)$/;
const ignored = /^(rw|z|Z|copy|consistent|cached|delegated|default)$/;

export function parseVolume(text: string): MountRequest {
  const parts = text.split(':');
  if (parts.length > 3) throw new BadValue(`invalid volume specification: '${text}'`, { fix: '-v SOURCE:TARGET[:ro]' });
  if (parts.includes('')) throw new BadValue(`invalid spec: ${text}: empty section between colons`);
  if (parts.length === 1) return { kind: 'volume', target: parseTarget(text), readOnly: false };
  const [source, place, text3 = ''] = parts as [string, string, string | undefined];
  const target = parseTarget(place);
  const { readOnly, options, noCopy, ...more } = parseModes(text3);
  if (/^[/.]/.test(source)) {
    if (noCopy) throw new BadValue(`invalid mode: ${text3}`, { why: 'nothing is ever copied into a folder of the host' });
    return { kind: 'bind', source: hostPath(source), target, readOnly, options, createSource: true, ...more };
  }
  const name = parseVolumeName(source);
  const own = options.find((word) => binding.test(word));
  if (own !== undefined) throw new BadValue(`invalid mode: ${own}`, { why: `"${source}" is a named volume` });
  return {
    kind: 'volume',
    name,
    target,
    readOnly,
    ...(options.length === 0 ? {} : { options }),
    ...(noCopy ? { noCopy } : {}),
    ...more,
  };
}

/** docker resolves `./x` and `../x` against the working directory; the rest has to be absolute. */
export function hostPath(text: string): string {
  return text.startsWith('/') ? clean(text) : resolve(text);
}

export function parseVolumeName(text: string): string {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text)) return text;
  throw new BadValue(`"${text}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed`, {
    why: 'a relative path is not a source',
    fix: 'if you intended to pass a host directory, use an absolute path or begin it with ./',
  });
}

type Modes = {
  readonly readOnly: boolean;
  readonly options: readonly string[];
  readonly noCopy?: true;
  readonly chown?: true;
  readonly overlay?: { readonly upper?: string; readonly work?: string };
};

function parseModes(text: string): Modes {
  const words = text === '' ? [] : text.split(',');
  if (words.includes('idmap') || words.some((word) => word.startsWith('idmap='))) refuseIdmap();
  const folder = (name: string) => words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const [upper, work] = [folder('upperdir'), folder('workdir')];
  const options = words.filter((word) => passed.test(word) || binding.test(word));
  const known = /^(ro|U|O|nocopy|(upperdir|workdir)=\/.*)$/;
  const bad = words.find((word) => !known.test(word) && !options.includes(word) && !ignored.test(word));
  const access = words.filter((word) => /^(ro|rw|rro|O)$/.test(word));
  const twice = access.length > 1 || options.filter((word) => /(shared|slave|private|unbindable)$/.test(word)).length > 1;
  if (bad !== undefined || twice)
    throw new BadValue(`invalid mode: ${text}`, { fix: 'modes are ro, rw, rro, U, O, z, Z, nocopy, rshared, noexec, …' });
  const overlay = words.includes('O');
  if ((upper === undefined) !== (work === undefined) || (upper !== undefined && !overlay)) {
    throw new BadValue(`invalid mode: ${text}`, { why: 'upperdir and workdir belong together, and to O' });
  }
  if (overlay && words.includes('U'))
    throw new BadValue(`invalid mode: ${text}`, { why: 'O leaves the folder below as it is, U changes it' });
  return {
    readOnly: access[0] === 'ro' || access[0] === 'rro',
    options,
    ...(words.includes('nocopy') ? { noCopy: true as const } : {}),
    ...(words.includes('U') ? { chown: true as const } : {}),
    ...(overlay ? { overlay: upper === undefined || work === undefined ? {} : { upper: clean(upper), work: clean(work) } } : {}),
  };
}
