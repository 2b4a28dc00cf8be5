/** `--volumes-from CONTAINER[:ro|rw|z|Z]`. */

import type { VolumesFrom } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';

export function parseVolumesFrom(text: string): VolumesFrom {
  const colon = text.indexOf(':');
  const container = colon === -1 ? text : text.slice(0, colon);
  if (container === '')
    throw new BadValue(`malformed volumes-from specification: ${text || '""'}`, { fix: '--volumes-from CONTAINER[:ro]' });
  const words = colon === -1 ? [] : text.slice(colon + 1).split(',');
  const bad = words.find((word) => !/^(ro|rw|z|Z)$/.test(word));
  const access = words.filter((word): word is 'ro' | 'rw' => word === 'ro' || word === 'rw');
  if (bad !== undefined || access.length > 1) throw new BadValue(`invalid mode: ${text.slice(colon + 1)}`, { fix: 'modes are ro and rw' });
  return access[0] === undefined ? { container } : { container, access: access[0] };
}
