/** What this user and kernel can do about user namespaces, read once from /proc and /etc. */

import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { parseProcMap } from './idmap.ts';
import { findMappers, type Mappers } from './newuidmap.ts';
import type { IdRange } from './ranges.ts';
import { readSubids, type Subids } from './subid.ts';

export type Host = {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
  /** CAP_SETUID and CAP_SETGID are effective: maps may be written without newuidmap. */
  readonly canMap: boolean;
  /** Set-uid programs give no privilege to this process: no_new_privs, or no CAP_SETUID and CAP_SETGID in the bounding set. */
  readonly privilegesBarred: 'no-new-privs' | 'bounding-set' | undefined;
  /** The ids that exist in the user namespace we run in. */
  readonly outer: { readonly uid: readonly IdRange[]; readonly gid: readonly IdRange[] };
  readonly subids: Subids;
  readonly mappers: Mappers;
};

/** The sysctls and limits that switch user namespaces off; undefined where the kernel has no such file. */
export type UsernsSwitches = {
  readonly unprivilegedClone: string | undefined;
  readonly maxUserNamespaces: string | undefined;
  readonly apparmorRestrict: string | undefined;
  /** Names with commas between them. */
  readonly securityModules: string | undefined;
};

/** A handful of small synchronous reads, under a millisecond: this is on the path of every run. */
export function readHost(searchPath: readonly string[]): Host {
  const status = readText('/proc/self/status');
  const uid = process.getuid?.() ?? 0;
  const name = userName(uid);
  return {
    uid,
    gid: process.getgid?.() ?? 0,
    name,
    canMap: holdsSetids(status, 'CapEff'),
    privilegesBarred: barred(status),
    outer: { uid: parseProcMap(readText('/proc/self/uid_map')), gid: parseProcMap(readText('/proc/self/gid_map')) },
    subids: readSubids({ uid, name }),
    mappers: findMappers(searchPath),
  };
}

/** For explaining a refusal; not read on the way to a successful start. */
export function readUsernsSwitches(proc = '/proc'): UsernsSwitches {
  return {
    unprivilegedClone: readSwitch(`${proc}/sys/kernel/unprivileged_userns_clone`),
    maxUserNamespaces: readSwitch(`${proc}/sys/user/max_user_namespaces`),
    apparmorRestrict: readSwitch(`${proc}/sys/kernel/apparmor_restrict_unprivileged_userns`),
    securityModules: readSwitch('/sys/kernel/security/lsm'),
  };
}

/** A capability mask of /proc/PID/status has both CAP_SETGID (6) and CAP_SETUID (7). */
export function holdsSetids(status: string, field: 'CapEff' | 'CapBnd'): boolean {
  const hex = new RegExp(`^${field}:\\s*([0-9a-f]+)`, 'm').exec(status)?.[1];
  return hex !== undefined && (BigInt(`0x${hex}`) & 0xc0n) === 0xc0n;
}

/** This process may make network namespaces and connect them where it is: CAP_SETGID, CAP_SETUID, CAP_NET_ADMIN and CAP_SYS_ADMIN. */
export function mayMakeNetworks(status = readText('/proc/self/status')): boolean {
  const hex = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1];
  const needed = (1n << 6n) | (1n << 7n) | (1n << 12n) | (1n << 21n);
  return hex !== undefined && (BigInt(`0x${hex}`) & needed) === needed;
}

export function barred(status: string): Host['privilegesBarred'] {
  if (/^NoNewPrivs:\s*1/m.test(status)) return 'no-new-privs';
  return holdsSetids(status, 'CapBnd') ? undefined : 'bounding-set';
}

function userName(uid: number): string {
  try {
    return userInfo().username;
  } catch {
    // A uid without a passwd entry is usual in containers; /etc/subuid may name it by number.
    return String(uid);
  }
}

function readSwitch(path: string): string | undefined {
  return readText(path).trim() || undefined;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
