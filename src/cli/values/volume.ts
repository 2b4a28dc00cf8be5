/** `-v [SOURCE:]TARGET[:MODE,…]`: a source with a slash is a folder or file of the host, without one a named volume. */

import { resolve } from 'node:path';
import type { MountRequest } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';
import { clean, parseTarget } from './path.ts';

const passed = /^(r?(shared|slave|private)|(no)?(exec|suid|dev)|r?bind)$/;
const ignored = /^(z|Z|consistent|cached|delegated|default)$/;

export function parseVolume(text: string): MountRequest {
  const parts = text.split(':');
  if (parts.length > 3) throw new BadValue(`invalid volume specification: '${text}'`, { fix: '-v SOURCE:TARGET[:ro]' });
  if (parts.includes('')) throw new BadValue(`invalid spec: ${text}: empty section between colons`);
  if (parts.length === 1) return { kind: 'volume', target: parseTarget(text), readOnly: false };
  const [source, place, modes = ''] = parts as [string, string, string | undefined];
  const target = parseTarget(place);
  const { readOnly, options } = parseModes(modes);
  if (/^[/.]/.test(source)) return { kind: 'bind', source: hostPath(source), target, readOnly, options, createSource: true };
  if (options.length > 0) throw new BadValue(`invalid mode: ${options.join(',')}`, { why: `"${source}" is a named volume` });
  return { kind: 'volume', name: parseVolumeName(source), target, readOnly };
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

function parseModes(text: string): { readOnly: boolean; options: string[] } {
  const words = text === '' ? [] : text.split(',');
  const access = words.filter((word) => word === 'ro' || word === 'rw');
  const options = words.filter((word) => passed.test(word));
  const bad = words.find((word) => word !== 'ro' && word !== 'rw' && !passed.test(word) && !ignored.test(word));
  const twice = access.length > 1 || options.filter((word) => /(shared|slave|private)$/.test(word)).length > 1;
  if (bad !== undefined || twice) throw new BadValue(`invalid mode: ${text}`, { fix: 'modes are ro, rw, z, Z, rshared, noexec, …' });
  return { readOnly: access[0] === 'ro', options };
}
