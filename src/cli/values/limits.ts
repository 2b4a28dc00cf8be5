/** Flags about memory, CPUs and processes → limits, for new containers and for `update`. */

import { RootlessError } from '../../errors.ts';
import type { DeviceValue } from '../../cgroup/limits.ts';
import type { Limits } from '../../runtime/options.ts';

export type LimitFlags = {
  readonly memory: number | undefined;
  readonly 'memory-swap': number | undefined;
  readonly 'memory-reservation': number | undefined;
  readonly cpus: number | undefined;
  readonly 'cpu-shares': number | undefined;
  readonly 'cpu-period': number | undefined;
  readonly 'cpu-quota': number | undefined;
  readonly 'cpuset-cpus': string | undefined;
  readonly 'cpuset-mems': string | undefined;
  readonly 'pids-limit': number | undefined;
  readonly 'blkio-weight': number | undefined;
  readonly 'blkio-weight-device': readonly DeviceValue[];
  readonly 'device-read-bps': readonly DeviceValue[];
  readonly 'device-write-bps': readonly DeviceValue[];
  readonly 'device-read-iops': readonly DeviceValue[];
  readonly 'device-write-iops': readonly DeviceValue[];
  readonly 'cgroup-conf'?: readonly (readonly [string, string])[];
};

/**
 * 0 means "no limit" to docker, and so does -1 for pids. `before`: those that a container has already.
 * @throws RootlessError FLAGS_CONFLICT
 */
export function toLimits(flags: LimitFlags, before: Limits = {}): Limits {
  const pick = <T>(given: T | undefined, old: T | undefined): T | undefined => (given === undefined ? old : given || undefined);
  const memory = pick(flags.memory, before.memory);
  const memorySwap = pick(flags['memory-swap'], before.memorySwap);
  const memoryReservation = pick(flags['memory-reservation'], before.memoryReservation);
  const pids = pick(flags['pids-limit'], before.pids);
  checkMemory(memory, memorySwap, memoryReservation);
  const quota = pick(flags['cpu-quota'], before.cpuQuota);
  const period = pick(flags['cpu-period'], before.cpuPeriod);
  const cpus = pick(flags.cpus, before.cpus);
  if (cpus !== undefined && (quota !== undefined || period !== undefined)) {
    throw conflict(`--cpus cannot be used with --cpu-${period === undefined ? 'quota' : 'period'}`, 'both say how much CPU time it gets');
  }
  const limits: Limits = {
    memory,
    memorySwap,
    memoryReservation,
    cpus,
    cpuShares: pick(flags['cpu-shares'], before.cpuShares),
    cpuPeriod: period,
    cpuQuota: quota !== undefined && quota > 0 ? quota : undefined,
    cpusetCpus: pick(flags['cpuset-cpus'], before.cpusetCpus),
    cpusetMems: pick(flags['cpuset-mems'], before.cpusetMems),
    pids: pids !== undefined && pids > 0 ? pids : undefined,
    ioWeight: pick(flags['blkio-weight'], before.ioWeight),
    ioWeightDevices: merge(flags['blkio-weight-device'], before.ioWeightDevices),
    readBps: merge(flags['device-read-bps'], before.readBps),
    writeBps: merge(flags['device-write-bps'], before.writeBps),
    readIops: merge(flags['device-read-iops'], before.readIops),
    writeIops: merge(flags['device-write-iops'], before.writeIops),
    unified: files(flags['cgroup-conf'], before.unified),
  };
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}

/** Of each device the value that was said last; 0 stays, since it takes a limit away. */
function merge(given: readonly DeviceValue[], old: readonly DeviceValue[] = []): readonly DeviceValue[] | undefined {
  const all = new Map([...old, ...given].map((one) => [one.path, one]));
  return all.size === 0 ? undefined : [...all.values()];
}

function files(given: readonly (readonly [string, string])[] = [], old: Limits['unified'] = {}): Limits['unified'] {
  const all = { ...old, ...Object.fromEntries(given) };
  return Object.keys(all).length === 0 ? undefined : all;
}

function checkMemory(memory: number | undefined, swap: number | undefined, reservation: number | undefined): void {
  if (swap !== undefined && memory === undefined) throw conflict('--memory-swap needs --memory', 'it limits memory and swap together');
  if (swap !== undefined && memory !== undefined && swap !== -1 && swap < memory) {
    throw conflict('--memory-swap is smaller than --memory', 'it limits memory and swap together');
  }
  if (memory !== undefined && reservation !== undefined && reservation > memory) {
    throw conflict('--memory-reservation is larger than --memory', 'it is the part of it that is kept');
  }
}

function conflict(message: string, why: string): RootlessError {
  return new RootlessError({ code: 'FLAGS_CONFLICT', message, why });
}
