/** Capabilities of the container's first process: docker's default set, what was added and what was dropped. Pure. */

import { RootlessError } from '../errors.ts';
import type { OciCapabilities } from './oci.ts';

/** capabilities(7), by number. */
export const allCapabilities = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST ' +
  'NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE ' +
  'SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM ' +
  'BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
)
  .split(' ')
  .map((name) => `CAP_${name}`);

/** What docker gives to a container that asks for nothing. */
export const defaultCapabilities =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
    .split(' ')
    .map((name) => `CAP_${name}`);

/**
 * docker's rule: `ALL` among the added gives all but the dropped; `ALL` among the dropped leaves only the added.
 * @throws RootlessError CAPABILITY_UNKNOWN
 */
export function chooseCapabilities(add: readonly string[], drop: readonly string[], privileged: boolean): string[] {
  const added = add.map(parseCapability);
  const dropped = drop.map(parseCapability);
  if (privileged) return [...allCapabilities];
  const base = added.includes('ALL') ? allCapabilities : dropped.includes('ALL') ? [] : defaultCapabilities;
  const kept = base.filter((name) => !dropped.includes(name));
  return [...kept, ...added.filter((name) => name !== 'ALL' && !kept.includes(name) && !dropped.includes(name))];
}

/**
 * The five sets. Nothing is ambient or inheritable: a program of a user other than root then loses all of them
 * at execve(2), by the kernel's own rule (capabilities(7), "Transformation of capabilities during execve").
 */
export function capabilitySets(names: readonly string[]): OciCapabilities {
  return { bounding: names, effective: names, permitted: names, inheritable: [], ambient: [] };
}

function parseCapability(text: string): string {
  const name = text.toUpperCase().replace(/^CAP_/, '');
  if (name === 'ALL' || allCapabilities.includes(`CAP_${name}`)) return name === 'ALL' ? name : `CAP_${name}`;
  throw new RootlessError({
    code: 'CAPABILITY_UNKNOWN',
    message: `unknown capability "${text}"`,
    why: 'names are those of capabilities(7), with or without CAP_, or ALL',
  });
}
