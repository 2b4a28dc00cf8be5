/** Name servers, search domains and options of resolv.conf(5), with docker's checks. */

import { isIP } from 'node:net';
import { BadValue } from './bad.ts';

/** podman's `none`: the image's own /etc/resolv.conf. */
export function parseDns(text: string): string {
  const address = text.trim();
  if (isIP(address) !== 0 || address === 'none') return address;
  throw new BadValue(`${text} is not an ip address`);
}

/** `.` alone means none. */
export function parseDnsSearch(text: string): string {
  const domain = text.trim();
  const label = '[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?';
  if (domain === '.') return domain;
  if (domain.length < 255 && /[a-zA-Z]/.test(domain) && new RegExp(`^${label}(\\.${label})*\\.?$`).test(domain)) return domain;
  throw new BadValue(`${text} is not a valid domain`);
}

/** A space or a line break in it would write more than one. */
export function parseDnsOption(text: string): string {
  if (/^[\w:.-]+$/.test(text)) return text;
  throw new BadValue(`"${text}" is not an option of resolv.conf`, { fix: 'ndots:2, timeout:1, rotate, …: resolv.conf(5)' });
}
