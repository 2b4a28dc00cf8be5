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
  /** Of 10 to 1000. */
  readonly ioWeight?: number | undefined;
  readonly ioWeightDevices?: readonly DeviceValue[] | undefined;
  /** Bytes, or operations, in a second. */
  readonly readBps?: readonly DeviceValue[] | undefined;
  readonly writeBps?: readonly DeviceValue[] | undefined;
  readonly readIops?: readonly DeviceValue[] | undefined;
  readonly writeIops?: readonly DeviceValue[] | undefined;
  /** Files of the cgroup and what is written there. */
  readonly unified?: Readonly<Record<string, string>> | undefined;
};

/** Of one disk: its path in /dev. */
export type DeviceValue = { readonly path: string; readonly value: number };

export type DeviceNumber = { readonly major: number; readonly minor: number };

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
  readonly blockIO?: BlockIo;
  readonly unified?: Readonly<Record<string, string>>;
};

type Throttle = DeviceNumber & { readonly rate: number };
type BlockIo = {
  readonly weight?: number;
  readonly weightDevice?: readonly (DeviceNumber & { readonly weight: number })[];
  readonly throttleReadBpsDevice?: readonly Throttle[];
  readonly throttleWriteBpsDevice?: readonly Throttle[];
  readonly throttleReadIOPSDevice?: readonly Throttle[];
  readonly throttleWriteIOPSDevice?: readonly Throttle[];
};

/** CFS period of docker: microseconds. */
const usualPeriod = 100_000;

/**
 * Without --memory-swap, docker allows as much swap as memory. `swap` counts both, as the standard has it.
 * `numberOf`: the numbers of a disk, which the standard has in place of its path.
 */
export function toResources(limits: Limits, numberOf: (path: string) => DeviceNumber = noDevice): Resources {
  const { memory, memorySwap, memoryReservation, pids, unified = {} } = limits;
  const cpu = cpuResources(limits);
  const io = ioResources(limits, numberOf);
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
    ...(Object.keys(io).length === 0 ? {} : { blockIO: io }),
    ...(Object.keys(unified).length === 0 ? {} : { unified }),
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

function ioResources(limits: Limits, numberOf: (path: string) => DeviceNumber): BlockIo {
  const { ioWeight, ioWeightDevices = [], readBps, writeBps, readIops, writeIops } = limits;
  const throttle = <K extends string>(name: K, devices: readonly DeviceValue[] = []) =>
    devices.length === 0 ? {} : { [name]: devices.map(({ path, value }) => ({ ...numberOf(path), rate: value })) };
  return {
    ...(ioWeight === undefined ? {} : { weight: ioWeight }),
    ...(ioWeightDevices.length === 0
      ? {}
      : { weightDevice: ioWeightDevices.map(({ path, value }) => ({ ...numberOf(path), weight: value })) }),
    ...throttle('throttleReadBpsDevice', readBps),
    ...throttle('throttleWriteBpsDevice', writeBps),
    ...throttle('throttleReadIOPSDevice', readIops),
    ...throttle('throttleWriteIOPSDevice', writeIops),
  };
}

function noDevice(): DeviceNumber {
  return { major: 0, minor: 0 };
}

/** The controllers that a cgroup must have for these limits. */
export function neededControllers(limits: Limits): string[] {
  const { memory, cpu, pids, blockIO, unified = {} } = toResources(limits);
  const files = Object.keys(unified).map((file) => file.split('.', 1)[0] ?? '');
  const time = cpu !== undefined && (cpu.quota !== undefined || cpu.shares !== undefined);
  const needed = [
    ...(memory === undefined ? [] : ['memory']),
    ...(time ? ['cpu'] : []),
    ...(cpu?.cpus === undefined && cpu?.mems === undefined ? [] : ['cpuset']),
    ...(pids === undefined ? [] : ['pids']),
    ...(blockIO === undefined ? [] : ['io']),
    ...files.filter((name) => name !== 'cgroup'),
  ];
  return [...new Set(needed)];
}

/** Whether anything was asked for. */
export function isLimited(limits: Limits): boolean {
  return Object.keys(toResources(limits)).length > 0;
}
