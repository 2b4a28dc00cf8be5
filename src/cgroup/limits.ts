/** Limits as people ask for them → the OCI's `linux.resources`. Pure. */

/** cgroup v2 limits that were asked for; an empty object means none. */
export type Limits = {
  /** Bytes. */
  readonly memory?: number | undefined;
  /** Bytes of memory + swap, docker's meaning; -1 is unlimited. */
  readonly memorySwap?: number | undefined;
  /** CPUs, for example 1.5. */
  readonly cpus?: number | undefined;
  readonly pids?: number | undefined;
};

export type Resources = {
  readonly memory?: { readonly limit?: number; readonly swap?: number };
  /** Microseconds. */
  readonly cpu?: { readonly quota: number; readonly period: number };
  readonly pids?: { readonly limit: number };
};

export type Controller = 'memory' | 'cpu' | 'pids';

/** CFS period of docker: microseconds. */
const period = 100_000;

/** Without --memory-swap, docker allows as much swap as memory. `swap` counts both, as the standard has it. */
export function toResources({ memory, memorySwap, cpus, pids }: Limits): Resources {
  return {
    ...(memory === undefined ? {} : { memory: { limit: memory, swap: memorySwap ?? memory * 2 } }),
    ...(cpus === undefined ? {} : { cpu: { quota: Math.max(1000, Math.round(cpus * period)), period } }),
    ...(pids === undefined ? {} : { pids: { limit: pids } }),
  };
}

/** The controllers that a cgroup must have for these limits. */
export function neededControllers({ memory, cpus, pids }: Limits): Controller[] {
  return [
    ...(memory === undefined ? [] : ['memory' as const]),
    ...(cpus === undefined ? [] : ['cpu' as const]),
    ...(pids === undefined ? [] : ['pids' as const]),
  ];
}

/** Whether anything was asked for. */
export function isLimited(limits: Limits): boolean {
  return neededControllers(limits).length > 0;
}
