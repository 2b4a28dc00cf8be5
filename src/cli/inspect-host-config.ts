/** What was asked for, as `inspect` shows it in docker's HostConfig. Pure. */

import type { DeviceValue } from '../cgroup/limits.ts';
import type { OciConfig } from '../runtime/oci.ts';
import type { ContainerOptions, MountRequest } from '../runtime/options.ts';
import type { Listed } from '../runtime/state.ts';
import type { Row } from './format.ts';

export function hostConfig({ options, network, remove }: Listed, spec: Partial<OciConfig> | undefined): Row {
  return {
    Binds: options.mounts.flatMap(bindText),
    LogConfig: { Type: options.log.driver, Config: logOptions(options) },
    NetworkMode: options.network === 'networks' ? (options.networks?.[0]?.network ?? 'none') : network,
    PortBindings: portBindings(options),
    RestartPolicy: { Name: options.restart.policy, MaximumRetryCount: options.restart.retries },
    AutoRemove: remove,
    VolumesFrom: options.volumesFrom.map(({ container, access }) => (access ? `${container}:${access}` : container)),
    CapAdd: options.capAdd,
    CapDrop: options.capDrop,
    Cgroup: options.cgroups ?? 'enabled',
    CgroupnsMode: options.cgroupns ?? 'private',
    CgroupConf: options.limits.unified ?? {},
    Dns: options.dns?.servers ?? [],
    DnsOptions: options.dns?.options ?? [],
    DnsSearch: options.dns?.search ?? [],
    ExtraHosts: options.addHosts.map(({ name, address }) => `${name}:${address}`),
    GroupAdd: options.keepGroups ? ['keep-groups'] : options.groupAdd,
    Links: null,
    IpcMode: 'private',
    OomScoreAdj: options.oomScoreAdj ?? 0,
    PidMode: '',
    Privileged: options.privileged,
    PublishAllPorts: options.publishAll,
    ReadonlyRootfs: options.readOnly,
    SecurityOpt: securityOptions(options),
    Tmpfs: Object.fromEntries(options.mounts.flatMap((mount) => (mount.kind === 'tmpfs' ? [[mount.target, mount.options.join(',')]] : []))),
    UTSMode: '',
    UsernsMode: options.userns.kind === 'map' || options.userns.kind === 'named' ? 'private' : options.userns.kind,
    ShmSize: options.shmSize,
    Sysctls: options.sysctls,
    Runtime: 'rootless-helper',
    NanoCpus: Math.round((options.limits.cpus ?? 0) * 1e9),
    ...cpuTime(spec),
    CpuShares: options.limits.cpuShares ?? 0,
    CpusetCpus: options.limits.cpusetCpus ?? '',
    CpusetMems: options.limits.cpusetMems ?? '',
    Memory: options.limits.memory ?? 0,
    MemoryReservation: options.limits.memoryReservation ?? 0,
    MemorySwap: memoryAndSwap(options),
    PidsLimit: options.limits.pids ?? 0,
    ...blockIo(options),
    MemorySwappiness: null,
    OomKillDisable: null,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CgroupParent: options.cgroupParent ?? '',
    Devices: options.devices.map(({ source, target, permissions }) => ({
      PathOnHost: source,
      PathInContainer: target,
      CgroupPermissions: permissions,
    })),
    // No limit is -1, as docker writes it.
    Ulimits: options.ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: finite(soft), Hard: finite(hard) })),
    Init: options.init,
    Annotations: options.annotations,
    MaskedPaths: spec?.linux?.maskedPaths ?? [],
    ReadonlyPaths: spec?.linux?.readonlyPaths ?? [],
  };
}

function blockIo({ limits }: ContainerOptions): Row {
  const rates = (devices: readonly DeviceValue[] = []) => devices.map(({ path, value }) => ({ Path: path, Rate: value }));
  return {
    BlkioWeight: limits.ioWeight ?? 0,
    BlkioWeightDevice: (limits.ioWeightDevices ?? []).map(({ path, value }) => ({ Path: path, Weight: value })),
    BlkioDeviceReadBps: rates(limits.readBps),
    BlkioDeviceWriteBps: rates(limits.writeBps),
    BlkioDeviceReadIOps: rates(limits.readIops),
    BlkioDeviceWriteIOps: rates(limits.writeIops),
  };
}

/** `SOURCE:TARGET[:ro]` of what -v mounts. */
function bindText(mount: MountRequest): string[] {
  if (mount.kind === 'tmpfs' || mount.kind === 'image') return [];
  const source = mount.kind === 'volume' ? mount.name : mount.source;
  if (source === undefined) return [];
  const words = [...(mount.readOnly ? ['ro'] : []), ...(mount.options ?? [])];
  return [[source, mount.target, ...(words.length > 0 ? [words.join(',')] : [])].join(':')];
}

function logOptions({ log }: ContainerOptions): Row {
  return {
    ...(log.maxSize > 0 ? { 'max-size': String(log.maxSize), 'max-file': String(log.maxFile) } : {}),
    ...(log.tag === undefined ? {} : { tag: log.tag }),
    ...(log.path === undefined ? {} : { path: log.path }),
  };
}

/** As asked: which port of the host it became is in NetworkSettings. */
function portBindings({ ports }: ContainerOptions): Row {
  const map: Record<string, { readonly HostIp: string; readonly HostPort: string }[]> = {};
  for (const { hostAddress = '', hostPort, hostLast, containerPort, protocol } of ports) {
    const key = `${containerPort}/${protocol}`;
    const asked = hostLast === undefined ? String(hostPort) : `${hostPort}-${hostLast}`;
    map[key] = [...(map[key] ?? []), { HostIp: hostAddress, HostPort: hostPort === 0 ? '' : asked }];
  }
  return map;
}

function securityOptions({ seccomp, noNewPrivileges, masks, landlock }: ContainerOptions): string[] {
  return [
    ...(noNewPrivileges ? ['no-new-privileges'] : []),
    ...(landlock === undefined ? [] : [landlock.write === undefined ? 'landlock' : `landlock=${landlock.write.join(':')}`]),
    ...(masks.mask.length > 0 ? [`mask=${masks.mask.join(':')}`] : []),
    ...(masks.unmask.length > 0 ? [`unmask=${typeof masks.unmask === 'string' ? masks.unmask : masks.unmask.join(':')}`] : []),
    ...(seccomp.kind === 'unconfined' ? ['seccomp=unconfined'] : seccomp.kind === 'profile' ? [`seccomp=${seccomp.json}`] : []),
  ];
}

function cpuTime(spec: Partial<OciConfig> | undefined): Row {
  const cpu = spec?.linux?.resources?.cpu;
  return { CpuQuota: cpu?.quota ?? 0, CpuPeriod: cpu?.period ?? 0 };
}

function memoryAndSwap({ limits }: ContainerOptions): number {
  return limits.memorySwap ?? (limits.memory ?? 0) * 2;
}

function finite(limit: number | null): number {
  return limit !== null && Number.isFinite(limit) ? limit : -1;
}
