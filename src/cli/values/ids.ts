/** Masks, sets of CPUs, ports to expose: numbers in docker's notations. */

import { BadValue } from './bad.ts';
import { parseWhole } from './numbers.ts';

/** `--umask 0027`. */
export function parseUmask(text: string): number {
  if (/^0?[0-7]{1,3}$|^0[0-7]{1,4}$/.test(text) && Number.parseInt(text, 8) <= 0o777) return Number.parseInt(text, 8);
  throw new BadValue(`invalid umask: "${text}"`, { fix: 'octal digits: 0022' });
}

/** `--cpuset-cpus 0-3,7` (cpuset(7), "List format"). */
export function parseCpuset(text: string): string {
  const parts = text.split(',').map((part) => /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part));
  if (parts.every((part) => part !== null && Number(part[1]) <= Number(part[2] ?? part[1]))) return text;
  throw new BadValue(`invalid value "${text}"`, { fix: 'numbers and ranges: 0-3, 0,2' });
}

/** `--expose 80`, `53/udp`, `8000-8010`. */
export function parseExpose(text: string): string {
  const [, first = '', last = first, protocol = 'tcp'] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp))?$/i.exec(text) ?? [];
  const bad = first === '' || Number(first) < 1 || Number(last) > 65535 || Number(last) < Number(first);
  if (bad) throw new BadValue(`invalid range format for --expose: ${text}`, { fix: 'PORT[-END][/tcp|udp]: 80, 53/udp' });
  return `${first === last ? first : `${first}-${last}`}/${protocol.toLowerCase()}`;
}

/** `--oom-score-adj -500`. */
export function parseOomScore(text: string): number {
  return parseWhole(text, -1000, 1000);
}

/** `--cpu-shares`: 2 to 262144; 0 is the default. */
export function parseShares(text: string): number {
  const shares = parseWhole(text, 0, 262_144);
  return shares === 1 ? 2 : shares;
}

/** `--cpu-period`, `--cpu-quota`: microseconds; -1 and 0 are no limit. */
export function parseMicroseconds(text: string): number {
  return parseWhole(text, -1);
}

export function parseAnnotation(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new BadValue(`no value given for annotation "${text}"`, { fix: '--annotation KEY=VALUE' });
  return [text.slice(0, equals), text.slice(equals + 1)];
}

const notifications = ['container', 'conmon', 'healthy', 'ignore'] as const;

export function parseNotify(text: string): (typeof notifications)[number] {
  const mode = notifications.find((one) => one === text);
  if (mode !== undefined) return mode;
  throw new BadValue(`invalid sdnotify value "${text}"`, { fix: `one of ${notifications.join(', ')}` });
}
