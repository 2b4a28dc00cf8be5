/** What of /proc and /sys a container does not see, or may not write: docker's lists, and what was asked for. Pure. */

import type { ContainerOptions } from './options.ts';

/** `--security-opt mask=…` and `unmask=…`; paths end without a slash. */
export type Masks = {
  readonly mask: readonly string[];
  /** `/proc/*` stands for everything below; `'ALL'` for both lists. */
  readonly unmask: 'ALL' | readonly string[];
};

/** docker's lists (moby, oci/defaults). */
const masked = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readonly = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** `linux.maskedPaths` and `linux.readonlyPaths` of the runtime-spec. What is asked to be masked stays so. */
export function coveredPaths({ privileged, masks }: Pick<ContainerOptions, 'privileged' | 'masks'>): {
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
} {
  const open = privileged ? 'ALL' : masks.unmask;
  const left = (path: string) => open !== 'ALL' && !open.some((wanted) => matches(wanted, path));
  return { maskedPaths: [...new Set([...masked.filter(left), ...masks.mask])], readonlyPaths: readonly.filter(left) };
}

/** The container may divide its cgroup where `unmask` names it, as with podman. */
export function opensCgroup({ privileged, masks }: Pick<ContainerOptions, 'privileged' | 'masks'>): boolean {
  return privileged || masks.unmask === 'ALL' || masks.unmask.some((wanted) => matches(wanted, '/sys/fs/cgroup'));
}

function matches(wanted: string, path: string): boolean {
  return wanted.endsWith('/*') ? path.startsWith(wanted.slice(0, -1)) : wanted === path;
}
