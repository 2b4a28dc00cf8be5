/** Limits as people ask for them → the OCI's `linux.resources`. Pure. */

/** cgroup v2 limits that were asked for; an empty object means none. */
export type Limits = {
  /** Bytes. */
  readonly memory?: number | undefined;
  /** Bytes of memory + swap, docker's meaning; -1 is unlimited. */
  readonly memorySwap?: number | undefined;
  /** Bytes that it keeps when others need some. */
  readonly memoryReservation?: number | undefined;
  /** CPUs, for example 1.5. */
  readonly cpus?: number | undefined;
  /** docker's weight, 1024 = everybody's. */
  readonly cpuShares?: number | undefined;
  /** Microseconds. */
  readonly cpuPeriod?: number | undefined;
  readonly cpuQuota?: number | undefined;
  /** cpuset(7), "List format". */
  readonly cpusetCpus?: string | undefined;
  readonly cpusetMems?: string | undefined;
  readonly pids?: number | undefined;
};

export type Resources = {
  readonly memory?: { readonly limit?: number; readonly swap?: number; readonly reservation?: number };
  readonly cpu?: {
    /** Microseconds. */
    readonly quota?: number;
    readonly period?: number;
    readonly shares?: number;
    readonly cpus?: string;
    readonly mems?: string;
  };
  readonly pids?: { readonly limit: number };
};

export type Controller = 'memory' | 'cpu' | 'cpuset' | 'pids';

/** CFS period of docker: microseconds. */
const usualPeriod = 100_000;

/** Without --memory-swap, docker allows as much swap as memory. `swap` counts both, as the standard has it. */
export function toResources(limits: Limits): Resources {
  const { memory, memorySwap, memoryReservation, pids } = limits;
  const cpu = cpuResources(limits);
  return {
    ...(memory === undefined && memoryReservation === undefined
      ? {}
      : {
          memory: {
            ...(memory === undefined ? {} : { limit: memory, swap: memorySwap ?? memory * 2 }),
            ...(memoryReservation === undefined ? {} : { reservation: memoryReservation }),
          },
        }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(pids === undefined ? {} : { pids: { limit: pids } }),
  };
}

function cpuResources({ cpus, cpuShares, cpuPeriod, cpuQuota, cpusetCpus, cpusetMems }: Limits): NonNullable<Resources['cpu']> {
  const period = cpuPeriod ?? usualPeriod;
  const quota = cpus === undefined ? cpuQuota : Math.max(1000, Math.round(cpus * usualPeriod));
  return {
    ...(quota === undefined ? {} : { quota, period }),
    ...(cpuShares === undefined ? {} : { shares: cpuShares }),
    ...(cpusetCpus === undefined ? {} : { cpus: cpusetCpus }),
    ...(cpusetMems === undefined ? {} : { mems: cpusetMems }),
  };
}

/** The controllers that a cgroup must have for these limits. */
export function neededControllers(limits: Limits): Controller[] {
  const { memory, pids } = toResources(limits);
  const { cpusetCpus, cpusetMems, cpus, cpuShares, cpuQuota } = limits;
  return [
    ...(memory === undefined ? [] : ['memory' as const]),
    ...(cpus === undefined && cpuShares === undefined && cpuQuota === undefined ? [] : ['cpu' as const]),
    ...(cpusetCpus === undefined && cpusetMems === undefined ? [] : ['cpuset' as const]),
    ...(pids === undefined ? [] : ['pids' as const]),
  ];
}

/** Whether anything was asked for. */
export function isLimited(limits: Limits): boolean {
  return neededControllers(limits).length > 0;
}
