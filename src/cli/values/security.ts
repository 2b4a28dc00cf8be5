/** `--security-opt`, `--cap-add`, `--cap-drop`. */

import { allCapabilities } from '../../runtime/capabilities.ts';
import { BadValue } from './bad.ts';

export type SecurityOption =
  | { readonly kind: 'no-new-privileges'; readonly on: boolean }
  | { readonly kind: 'seccomp'; readonly profile: 'default' | 'unconfined' | { readonly file: string } }
  | { readonly kind: 'mask' | 'unmask'; readonly paths: readonly string[] }
  | { readonly kind: 'landlock'; readonly write?: readonly string[] }
  | { readonly kind: 'nothing' };

const known =
  'no-new-privileges[=false], seccomp=FILE|unconfined, mask=PATH[:PATH], unmask=ALL|PATH[:PATH], systempaths=unconfined, landlock[=PATH[:PATH]]';

/** docker also takes the old `name:value` form. */
export function parseSecurity(text: string): SecurityOption {
  const cut = text.search(/[=:]/);
  const name = cut === -1 ? text : text.slice(0, cut);
  const value = cut === -1 ? undefined : text.slice(cut + 1);
  if (name === 'no-new-privileges') {
    if (value !== undefined && value !== 'true' && value !== 'false') throw new BadValue(`invalid --security-opt: "${text}"`);
    return { kind: 'no-new-privileges', on: value !== 'false' };
  }
  if (name === 'seccomp' && value !== undefined && value !== '') return { kind: 'seccomp', profile: seccomp(value) };
  if (name === 'systempaths' && value === 'unconfined') return { kind: 'unmask', paths: ['ALL'] };
  if ((name === 'mask' || name === 'unmask') && value) return { kind: name, paths: paths(name, value, text) };
  if (name === 'landlock' && value !== '') return { kind: 'landlock', ...(value === undefined ? {} : { write: absolute(value, text) }) };
  // Nothing of ours sets a label or an AppArmor profile, so switching them off is granted.
  if ((name === 'label' && value === 'disable') || (name === 'apparmor' && value === 'unconfined')) return { kind: 'nothing' };
  throw new BadValue(`invalid --security-opt: "${text}"`, { fix: known });
}

/** podman's `mask=/a:/b`, `unmask=/a:/b`, `unmask=/proc/*`, `unmask=ALL`. */
function paths(name: 'mask' | 'unmask', value: string, text: string): readonly string[] {
  return name === 'unmask' && value.toUpperCase() === 'ALL' ? ['ALL'] : absolute(value, text);
}

function absolute(value: string, text: string): readonly string[] {
  const list = value.split(':').map((path) => (path.length > 1 ? path.replace(/\/+$/, '') : path));
  const wrong = list.find((path) => !path.startsWith('/') || path.split('/').includes('..'));
  if (wrong !== undefined) throw new BadValue(`invalid --security-opt: "${text}"`, { fix: 'paths are absolute, without ".."' });
  return list;
}

function seccomp(value: string): 'default' | 'unconfined' | { file: string } {
  if (value === 'unconfined') return 'unconfined';
  return value === 'builtin' || value === 'default' ? 'default' : { file: value };
}

/** `NET_ADMIN`, `cap_net_admin`, `all` → `CAP_NET_ADMIN`, `ALL` (capabilities(7)). */
export function parseCapability(text: string): string {
  const name = `CAP_${text.toUpperCase().replace(/^CAP_/, '')}`;
  if (name === 'CAP_ALL') return 'ALL';
  if (!allCapabilities.includes(name)) throw new BadValue(`invalid capability: "${text}"`, { fix: 'names are listed in capabilities(7)' });
  return name;
}
