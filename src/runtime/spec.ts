/** ContainerOptions + image + mapping + facts → OCI config.json. Pure: everything it needs is handed in. */

import type { Resources } from '../cgroup/limits.ts';
import { RootlessError } from '../errors.ts';
import type { IdMapping } from '../helper.ts';
import { toHost } from '../userns/idmap.ts';
import { coveredPaths, opensCgroup } from './masks.ts';
import { buildMounts, clean, type MountBacking, type OwnMount } from './mounts.ts';
import type { LaunchNetwork } from './network.ts';
import type { OciConfig, OciMount, OciSeccomp } from './oci.ts';
import type { ContainerOptions, Mapping } from './options.ts';
import { buildProcess, type ImageDefaults, splitGroups } from './process.ts';

/** How the root filesystem comes to be: `io.rootless.overlay` or `io.rootless.copy` and its value; or a folder as it is. */
export type RootPlan = {
  readonly path: string;
  readonly annotation?: { readonly name: string; readonly value: string };
  /** Parts of the root filesystem; made before all other mounts. */
  readonly mounts?: readonly OciMount[];
};

export type SpecFacts = {
  readonly id: string;
  readonly image: ImageDefaults;
  readonly mapping: Mapping;
  readonly root: RootPlan;
  readonly files: readonly OwnMount[];
  /** What stands behind volumes, images and overlays, by target. */
  readonly volumes: Readonly<Record<string, MountBacking>>;
  readonly seccomp: OciSeccomp | undefined;
  readonly network: LaunchNetwork;
  readonly cgroup: CgroupPlan | undefined;
};

export type CgroupPlan = {
  /** `linux.cgroupsPath`. */
  readonly path: string;
  readonly resources: Resources;
  /** The container may divide it. */
  readonly writable: boolean;
  /** The monitor stays where it is. */
  readonly apart: boolean;
};

export function buildSpec(options: ContainerOptions, facts: SpecFacts): OciConfig {
  const hostname = options.hostname ?? facts.id.slice(0, 12);
  const { mapping } = facts;
  return {
    ociVersion: '1.2.0',
    process: buildProcess(options, facts.image, hostname),
    root: { path: facts.root.path, readonly: options.readOnly },
    hostname,
    ...(options.domainname === undefined ? {} : { domainname: options.domainname }),
    mounts: [
      ...(facts.root.mounts ?? []),
      ...buildMounts({
        options,
        ttyGroup: mapping.idMap.gid.some((extent) => extent.containerID <= 5 && extent.containerID + extent.size > 5),
        cgroup: cgroupMount(options, facts),
        volumes: facts.volumes,
        files: facts.files,
      }),
    ],
    annotations: annotations(options, facts),
    linux: {
      uidMappings: mapping.idMap.uid,
      gidMappings: mapping.idMap.gid,
      namespaces: namespaces(options, facts.network),
      sysctl: { ...networkSysctls(options, mapping), ...checkSysctls(options) },
      ...(facts.cgroup ? { cgroupsPath: facts.cgroup.path, resources: facts.cgroup.resources } : {}),
      ...(facts.seccomp ? { seccomp: facts.seccomp } : {}),
      rootfsPropagation: 'rprivate',
      ...coveredPaths(options),
    },
  };
}

/** The host's own is shown as it is, and never to be written. */
function cgroupMount(options: ContainerOptions, { cgroup }: SpecFacts): 'ro' | 'rw' | undefined {
  if (options.cgroupns === 'host') return 'ro';
  return cgroup && (cgroup.writable || opensCgroup(options) ? 'rw' : 'ro');
}

/** The default hostname and the file names that go with it are the same everywhere. */
export function hostnameOf(options: ContainerOptions, id: string): string {
  return options.hostname ?? id.slice(0, 12);
}

function annotations(options: ContainerOptions, { root, mapping, network, image, cgroup }: SpecFacts): Record<string, string> {
  const { newuidmap, newgidmap } = mapping.idMap;
  const groups = splitGroups(options.groupAdd).names;
  return {
    ...options.annotations,
    ...(root.annotation ? { [root.annotation.name]: root.annotation.value } : {}),
    'io.rootless.user': options.user || image.user || '0',
    ...mountExtras(options.mounts),
    ...(groups.length > 0 ? { 'io.rootless.groups': JSON.stringify(groups) } : {}),
    ...(options.keepGroups ? { 'run.oci.keep_original_groups': '1' } : {}),
    ...(newuidmap ? { 'io.rootless.newuidmap': newuidmap } : {}),
    ...(newgidmap ? { 'io.rootless.newgidmap': newgidmap } : {}),
    ...(mapping.mode === 'single' ? { 'io.rootless.single-id': 'true' } : {}),
    ...(network.companion ? { 'io.rootless.companion': JSON.stringify(network.companion) } : {}),
    ...network.annotations,
    ...optionalSysctls(options, mapping),
    ...(options.init ? { 'io.rootless.init': 'true' } : {}),
    ...(cgroup?.apart ? { 'io.rootless.cgroup-apart': 'true' } : {}),
    ...(options.landlock ? { 'io.rootless.landlock': JSON.stringify(options.landlock) } : {}),
  };
}

/** What nobody asked for is no reason to fail inside a container whose /proc/sys is read-only. */
function optionalSysctls(options: ContainerOptions, mapping: Mapping): Record<string, string> {
  const name = options.hostname === undefined ? ['kernel.hostname'] : [];
  const keys = Object.keys(networkSysctls(options, mapping)).filter((key) => !(key in checkSysctls(options)));
  const all = [...name, ...keys];
  return all.length === 0 ? {} : { 'io.rootless.optional-sysctls': JSON.stringify(all) };
}

function mountExtras(mounts: ContainerOptions['mounts']): Record<string, string> {
  const extras = mounts.flatMap((mount) => {
    if (mount.kind === 'tmpfs' || (mount.subpath === undefined && !mount.chown)) return [];
    const { target, subpath, chown } = mount;
    return [[clean(target), { ...(subpath === undefined ? {} : { subpath }), ...(chown ? { chown } : {}) }] as const];
  });
  return extras.length === 0 ? {} : { 'io.rootless.mounts': JSON.stringify(Object.fromEntries(extras)) };
}

function namespaces(options: ContainerOptions, { path }: LaunchNetwork): { type: string; path?: string }[] {
  const types = ['user', 'mount', 'pid', 'ipc', 'uts', ...(options.cgroupns === 'host' ? [] : ['cgroup'])].map((type) => ({ type }));
  if (options.network === 'host') return types;
  return [...types, { type: 'network', ...(path === undefined ? {} : { path }) }];
}

/** In a network of its own, ping and low ports need no privilege. One that is shared is the other's to arrange. */
function networkSysctls({ network }: ContainerOptions, { idMap }: Mapping): Record<string, string> {
  if (network === 'host' || network === 'container' || network === 'namespace') return {};
  const groups = pingGroups(idMap.gid);
  return { 'net.ipv4.ip_unprivileged_port_start': '0', ...(groups ? { 'net.ipv4.ping_group_range': groups } : {}) };
}

/** From group 0 to the mapped group that is highest outside: the kernel wants both ends mapped, and compares them as the host sees them. */
export function pingGroups(map: readonly IdMapping[]): string | undefined {
  const root = toHost(map, 0);
  if (root === undefined) return undefined;
  const last = map.reduce((best, extent) => (extent.hostID > best.hostID ? extent : best));
  return `0 ${last.hostID > root ? last.containerID + last.size - 1 : 0}`;
}

const ipcSysctls = /^(kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)|fs\.mqueue\..+)$/;

/** Only what belongs to one of the container's own namespaces can be set. @throws RootlessError SYSCTL_NOT_NAMESPACED */
function checkSysctls({ sysctls, network }: ContainerOptions): Readonly<Record<string, string>> {
  const own = network !== 'host' && network !== 'container' && network !== 'namespace';
  for (const name of Object.keys(sysctls)) {
    const net = name.startsWith('net.');
    if (ipcSysctls.test(name) || name === 'kernel.domainname' || (net && own)) continue;
    throw new RootlessError({
      code: 'SYSCTL_NOT_NAMESPACED',
      message: `cannot set sysctl "${name}" for a container`,
      why: net
        ? `with --network ${network === 'namespace' ? 'ns:' : network} it belongs to ${network === 'host' ? 'the host' : 'another container'}`
        : 'it belongs to the whole machine, not to a namespace of the container',
    });
  }
  return sysctls;
}
