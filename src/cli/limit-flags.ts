/** Flags of `run`, `create` and `update` about limits, and of the first two about the cgroup that they are in. */

import type { Flags } from './flags.ts';
import { parseDeviceRate, parseDeviceSpeed, parseDeviceWeight, parseWeight } from './values/block-io.ts';
import { parseBytes, parseSwap } from './values/bytes.ts';
import {
  parseCgroupFile,
  parseCgroupns,
  parseCgroups,
  parseParent,
  parseSystemd,
  refuseOomKill,
  refuseRealTime,
  refuseSwappiness,
} from './values/cgroup.ts';
import { parseCpuset, parseMicroseconds, parseShares } from './values/ids.ts';
import { parseCpus, parsePids } from './values/numbers.ts';

const group = 'Limits';
const disk = { type: 'string', group, valueHint: 'DEVICE:RATE', repeat: true } as const;

/** Of `update` too. */
export const limitFlags = {
  memory: { type: 'string', alias: 'm', group, valueHint: 'SIZE', parse: parseBytes, description: 'memory: 512m, 2g' },
  'memory-swap': {
    type: 'string',
    group,
    valueHint: 'SIZE',
    parse: parseSwap,
    description: 'memory and swap together; -1 is no limit',
  },
  'memory-reservation': {
    type: 'string',
    group,
    valueHint: 'SIZE',
    parse: parseBytes,
    description: 'memory that it keeps when others need some',
  },
  cpus: { type: 'string', group, valueHint: 'NUMBER', parse: parseCpus, description: 'CPUs: 0.5, 2' },
  'cpuset-cpus': { type: 'string', group, valueHint: 'SET', parse: parseCpuset, description: 'CPUs that it may use: 0-3, 0,2' },
  'cpuset-mems': { type: 'string', group, valueHint: 'SET', parse: parseCpuset, description: 'memory nodes that it may use' },
  'cpu-shares': {
    type: 'string',
    alias: 'c',
    group,
    valueHint: 'NUMBER',
    parse: parseShares,
    description: 'its weight against others (1024)',
  },
  'cpu-period': { type: 'string', group, valueHint: 'US', parse: parseMicroseconds, description: 'length of a CPU period' },
  'cpu-quota': { type: 'string', group, valueHint: 'US', parse: parseMicroseconds, description: 'CPU time in each period' },
  'pids-limit': { type: 'string', group, valueHint: 'NUMBER', parse: parsePids, description: 'processes; -1 is no limit' },
  'blkio-weight': {
    type: 'string',
    group,
    valueHint: 'NUMBER',
    parse: parseWeight,
    description: 'its weight for disks against others (10 to 1000)',
  },
  'blkio-weight-device': { ...disk, valueHint: 'DEVICE:NUMBER', parse: parseDeviceWeight, description: 'the same for one disk' },
  'device-read-bps': { ...disk, parse: parseDeviceSpeed, description: 'bytes that it may read in a second: /dev/sda:10mb' },
  'device-write-bps': { ...disk, parse: parseDeviceSpeed, description: 'bytes that it may write in a second' },
  'device-read-iops': { ...disk, parse: parseDeviceRate, description: 'reads in a second: /dev/sda:100' },
  'device-write-iops': { ...disk, parse: parseDeviceRate, description: 'writes in a second' },
} as const satisfies Flags;

export const cgroupFlags = {
  'cgroup-conf': {
    type: 'string',
    group,
    valueHint: 'FILE=VALUE',
    repeat: true,
    parse: parseCgroupFile,
    description: 'write to a file of its cgroup: memory.high=1073741824',
  },
  'cgroup-parent': {
    type: 'string',
    group,
    valueHint: 'PATH',
    parse: parseParent,
    description: 'make its cgroup below PATH, or in a slice of your systemd',
  },
  cgroups: {
    type: 'string',
    group,
    valueHint: 'MODE',
    parse: parseCgroups,
    choices: ['enabled', 'disabled', 'no-conmon', 'split'],
    description: 'enabled (the default), disabled, no-conmon or split',
  },
  cgroupns: {
    type: 'string',
    group,
    valueHint: 'MODE',
    parse: parseCgroupns,
    choices: ['private', 'host'],
    description: 'private (the default), or see the cgroups of the host',
  },
  systemd: {
    type: 'string',
    group,
    valueHint: 'MODE',
    parse: parseSystemd,
    choices: ['true', 'false', 'always'],
    description: 'prepare for an init: true (if it looks like one), always, false',
  },
  'memory-swappiness': {
    type: 'string',
    group,
    valueHint: 'NUMBER',
    hidden: true,
    parse: refuseSwappiness,
    description: 'cgroup v2 has only that of the machine',
  },
  'oom-kill-disable': {
    type: 'string',
    group,
    valueHint: 'BOOL',
    hidden: true,
    parse: refuseOomKill,
    description: 'cgroup v2 has no such switch',
  },
  'cpu-rt-runtime': {
    type: 'string',
    group,
    valueHint: 'US',
    hidden: true,
    parse: refuseRealTime,
    description: 'cgroup v2 does not divide real-time',
  },
  'cpu-rt-period': {
    type: 'string',
    group,
    valueHint: 'US',
    hidden: true,
    parse: refuseRealTime,
    description: 'cgroup v2 does not divide real-time',
  },
} as const satisfies Flags;
