/** Names and short words: hosts, signals, users, sysctls. */

import { isIP } from 'node:net';
import { constants } from 'node:os';
import type { HostEntry } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';

/** The kernel keeps 64 bytes (sethostname(2)). */
export function parseHostname(text: string): string {
  if (/^[a-zA-Z0-9]([a-zA-Z0-9_.-]*[a-zA-Z0-9])?$/.test(text) && text.length <= 64) return text;
  throw new BadValue(`invalid hostname format: ${text}`);
}

/** `NAME:IP` or `NAME=IP`; `host-gateway` stands for the host. */
export function parseHostEntry(text: string): HostEntry {
  const cut = text.search(/[=:]/);
  const name = text.slice(0, Math.max(cut, 0));
  const address = text.slice(cut + 1).replace(/^\[(.*)\]$/, '$1');
  if (cut < 1 || /\s/.test(name)) throw new BadValue(`bad format for add-host: "${text}"`, { fix: '--add-host NAME:IP' });
  if (address !== 'host-gateway' && isIP(address) === 0) throw new BadValue(`invalid IP address in add-host: "${address}"`);
  return { name, address };
}

/** `TERM`, `sigterm`, `15`, `RTMIN+3` → `SIGTERM`, `SIGRTMIN+3`. */
export function parseSignal(text: string): string {
  const upper = text.toUpperCase();
  const name = upper.startsWith('SIG') ? upper : `SIG${upper}`;
  if (name in constants.signals || /^SIGRT(MIN(\+([0-9]|1[0-5]))?|MAX(-([0-9]|1[0-4]))?)$/.test(name)) return name;
  const number = Number(text);
  const known = Object.entries(constants.signals).find(([, value]) => value === number);
  if (/^\d+$/.test(text) && known !== undefined) return known[0];
  throw new BadValue(`invalid signal: ${text}`, { fix: 'a name or number of signal(7)' });
}

export function parseUser(text: string): string {
  if (/^[^:\s/]+(:[^:\s/]+)?$/.test(text)) return text;
  throw new BadValue(`invalid user: "${text}"`, { fix: 'USER[:GROUP], names or numbers' });
}

/** Only what belongs to a namespace of the container can be set. */
export function parseSysctl(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  const key = text.slice(0, Math.max(equals, 0)).replaceAll('/', '.');
  const kernel = /^kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced|domainname)$/;
  if (!kernel.test(key) && !/^(net|fs\.mqueue)\.[\w.-]+$/.test(key)) {
    throw new BadValue(`sysctl '${equals === -1 ? text : key}' is not allowed`, {
      why: 'only net.*, fs.mqueue.* and the IPC part of kernel.* belong to a container',
    });
  }
  return [key, text.slice(equals + 1)];
}
