/** `--device SOURCE[:TARGET][:rwm]`. */

import type { DeviceRequest } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';
import { clean } from './path.ts';

export function parseDevice(text: string): DeviceRequest {
  const [source = '', second, third, ...more] = text.split(':');
  const bad = new BadValue(`invalid device specification: ${text}`, { fix: '--device /dev/fuse, --device /dev/sda:/dev/xvda:r' });
  if (more.length > 0 || second === '' || third === '') throw bad;
  const shortForm = third === undefined && second !== undefined && isAccess(second);
  const target = shortForm ? source : (second ?? source);
  const permissions = shortForm ? second : (third ?? 'rwm');
  if (!source.startsWith('/') || !target.startsWith('/')) throw bad;
  if (!isAccess(permissions)) throw new BadValue(`invalid device mode: ${permissions}`, { fix: 'a mode is made of r, w and m' });
  return { source: clean(source), target: clean(target), permissions };
}

/** Each of r, w, m at most once. */
function isAccess(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}
