/** From the flags of `run` to ContainerOptions: reads the files that flags name, then only arranges values. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isLimited } from '../cgroup/limits.ts';
import { RootlessError } from '../errors.ts';
import type { Masks } from '../runtime/masks.ts';
import { type ContainerOptions, type MountRequest, defaults } from '../runtime/options.ts';
import type { Input } from './command.ts';
import type { Values } from './flags.ts';
import type { createFlags } from './run-flags.ts';
import { type NetworkFlags, toNetwork } from './run-network.ts';
import { BadValue } from './values/bad.ts';
import { lookUp, parseKeyLines, parseLabel } from './values/env.ts';
import { toHealth } from './values/health.ts';
import { toLimits } from './values/limits.ts';
import { toLog } from './values/log.ts';

export type CreateInput = Input<typeof createFlags>;
type CreateValues = Values<typeof createFlags>;

/** @throws RootlessError for files that cannot be read and flags that contradict each other; exit 125 */
export function toOptions(input: CreateInput): ContainerOptions {
  const { flags, args, env } = input;
  const [image = '', ...command] = args;
  const mounts = [...flags.volume, ...flags.mount, ...flags.tmpfs];
  refuseSameTarget(mounts);
  return {
    ...defaults,
    image,
    command,
    entrypoint: flags.entrypoint === undefined ? undefined : flags.entrypoint === '' ? [] : [flags.entrypoint],
    name: flags.name,
    env: lookUp([...flags['env-file'].flatMap((file) => readKeys('env-file', file)), ...flags.env], env),
    workdir: flags.workdir,
    user: flags.user,
    ...groups(flags['group-add']),
    interactive: flags.interactive,
    tty: flags.tty,
    remove: flags.rm,
    init: flags.init,
    readOnly: flags['read-only'],
    privileged: flags.privileged,
    mounts,
    volumesFrom: flags['volumes-from'],
    devices: flags.device,
    hostname: flags.hostname,
    addHosts: flags['add-host'],
    ...toNames(flags),
    ...toNetwork(networkFlags(flags)),
    ports: flags.publish.flat(),
    capAdd: flags['cap-add'],
    capDrop: flags['cap-drop'],
    ...security(flags),
    ulimits: flags.ulimit,
    sysctls: Object.fromEntries(flags.sysctl),
    shmSize: flags['shm-size'] ?? defaults.shmSize,
    limits: toLimits(flags),
    userns: toUserns(flags),
    stopSignal: flags['stop-signal'],
    labels: toLabels(flags),
    ...toLife(flags),
    ...toCgroup(flags),
  };
}

/** @throws RootlessError FLAGS_CONFLICT: what has no cgroup cannot be limited, nor have a parent */
function toCgroup(flags: CreateValues): Pick<ContainerOptions, 'cgroups' | 'cgroupParent' | 'cgroupns' | 'systemd'> {
  if (flags.cgroups === 'disabled') {
    const why = 'without a cgroup of its own there is nothing to limit';
    if (isLimited(toLimits(flags))) throw conflict('cannot set limits with --cgroups=disabled', why);
    if (flags['cgroup-parent'] !== undefined) throw conflict('cannot specify both --cgroups=disabled and --cgroup-parent', why);
    if (flags.systemd === 'always') throw conflict('cannot specify both --cgroups=disabled and --systemd=always', 'systemd needs a cgroup');
  }
  return { cgroups: flags.cgroups, cgroupParent: flags['cgroup-parent'], cgroupns: flags.cgroupns, systemd: flags.systemd };
}

/** What its programs find under which name. */
function toNames(flags: CreateValues): Pick<ContainerOptions, 'dns' | 'noHosts' | 'domainname'> {
  if (flags['no-hosts'] && flags['add-host'].length > 0) {
    throw conflict('cannot specify both --no-hosts and --add-host', 'there is no /etc/hosts of its own to add to');
  }
  const dns = { servers: flags.dns, search: flags['dns-search'], options: [...flags['dns-option'], ...flags['dns-opt']] };
  if (dns.servers.includes('none') && Object.values(dns).flat().length > 1) {
    throw conflict(
      'cannot specify --dns none with other --dns, --dns-search or --dns-option',
      "with it /etc/resolv.conf is the image's own",
    );
  }
  return {
    dns: Object.values(dns).some((list) => list.length > 0) ? dns : undefined,
    noHosts: flags['no-hosts'] || undefined,
    domainname: flags.domainname,
  };
}

function networkFlags(flags: CreateValues): NetworkFlags {
  const typed = (name: string, value: unknown) => ((Array.isArray(value) ? value.length > 0 : value !== undefined) ? [name] : []);
  return {
    words: [...flags.network, ...flags.net],
    aliases: [...flags['network-alias'], ...flags['net-alias']],
    ip: flags.ip,
    ip6: flags.ip6,
    mac: flags['mac-address'],
    ports: flags.publish.flat(),
    publishAll: flags['publish-all'],
    names: [
      ...typed('hostname', flags.hostname),
      ...typed('custom host-to-IP mapping', flags['add-host']),
      ...typed('dns', [...flags.dns, ...flags['dns-search'], ...flags['dns-option'], ...flags['dns-opt']]),
      ...typed('port exposing', flags.expose),
    ],
  };
}

/** What becomes of it after its start. `--requires` still has names: ids are looked up where the store is known. */
function toLife(flags: CreateValues): Partial<ContainerOptions> {
  if (flags.rm && flags.restart !== undefined && flags.restart.policy !== 'no') {
    throw conflict('cannot specify both --restart and --rm', 'a container that is removed at its end cannot be started again');
  }
  return {
    stopTimeout: flags['stop-timeout'],
    annotations: Object.fromEntries(flags.annotation),
    restart: flags.restart ?? defaults.restart,
    log: toLog(flags['log-driver'], flags['log-opt']),
    health: toHealth(flags),
    secrets: flags.secret,
    timeout: flags.timeout ?? 0,
    umask: flags.umask,
    timezone: flags.tz,
    expose: flags.expose,
    publishAll: flags['publish-all'],
    oomScoreAdj: flags['oom-score-adj'],
    pidFile: absolute(flags.pidfile),
    monitorPidFile: absolute(flags['conmon-pidfile']),
    sdnotify: flags.sdnotify ?? defaults.sdnotify,
    requires: flags.requires,
  };
}

/** podman's `keep-groups`: the caller's, of which the kernel lets none be added to. */
function groups(added: readonly string[]): Pick<ContainerOptions, 'groupAdd' | 'keepGroups'> {
  if (!added.includes('keep-groups')) return { groupAdd: added };
  if (added.some((group) => group !== 'keep-groups'))
    throw conflict(
      'the --group-add keep-groups option is not allowed with any other --group-add options',
      'it leaves the groups as they are',
    );
  return { groupAdd: [], keepGroups: true };
}

/** @throws RootlessError FLAGS_CONFLICT */
function toUserns({ userns, uidmap, gidmap, subuidname, subgidname }: CreateValues): ContainerOptions['userns'] {
  const lines = uidmap.length + gidmap.length > 0;
  const name = subuidname ?? subgidname;
  const asked = [userns !== undefined && '--userns', lines && '--uidmap or --gidmap', name !== undefined && '--subuidname or --subgidname'];
  const [one, other] = asked.filter((flag) => flag !== false);
  if (one !== undefined && other !== undefined)
    throw conflict(`cannot specify both ${one} and ${other}`, 'each of them says which ids there are');
  if (lines) return { kind: 'map', uid: uidmap, gid: gidmap };
  if (name !== undefined) return { kind: 'named', uid: subuidname ?? name, gid: subgidname ?? name };
  return userns ?? defaults.userns;
}

/** The monitor stands somewhere else. */
function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path);
}

/** `--label` wins over `--label-file`. */
function toLabels(flags: CreateValues): Record<string, string> {
  const lines = flags['label-file'].flatMap((file) => readKeys('label-file', file));
  return Object.fromEntries([...lines.map(parseLabel), ...flags.label]);
}

function security(flags: CreateValues): Pick<ContainerOptions, 'noNewPrivileges' | 'seccomp' | 'masks' | 'landlock'> {
  let noNewPrivileges = defaults.noNewPrivileges;
  let seccomp = defaults.seccomp;
  for (const option of flags['security-opt']) {
    if (option.kind === 'no-new-privileges') noNewPrivileges = option.on;
    if (option.kind !== 'seccomp') continue;
    const { profile } = option;
    seccomp = typeof profile === 'string' ? { kind: profile } : { kind: 'profile', json: readProfile(profile.file) };
  }
  const masks = { mask: listed(flags, 'mask'), unmask: toUnmask(listed(flags, 'unmask')) };
  return { noNewPrivileges, seccomp, masks, ...landlock(flags) };
}

/** Lists of what can be written add up; one that is only switched on takes nothing away. */
function landlock(flags: CreateValues): Pick<ContainerOptions, 'landlock'> {
  const walls = flags['security-opt'].flatMap((option) => (option.kind === 'landlock' ? [option] : []));
  if (walls.length === 0) return {};
  const lists = walls.flatMap(({ write }) => (write === undefined ? [] : [write]));
  return { landlock: lists.length === 0 ? {} : { write: lists.flat() } };
}

function listed(flags: CreateValues, kind: 'mask' | 'unmask'): string[] {
  return flags['security-opt'].flatMap((option) => (option.kind === kind ? option.paths : []));
}

function toUnmask(paths: readonly string[]): Masks['unmask'] {
  return paths.includes('ALL') ? 'ALL' : paths;
}

function readProfile(path: string): string {
  const text = readFlagFile('security-opt', path).toString();
  try {
    JSON.parse(text);
  } catch (cause) {
    throw new RootlessError({
      code: 'SECCOMP_PROFILE_INVALID',
      message: `cannot use seccomp profile "${path}": it is not JSON`,
      why: cause instanceof Error ? cause.message : undefined,
      cause,
    });
  }
  return text;
}

export function readKeys(flag: string, path: string): string[] {
  const bytes = readFlagFile(flag, path);
  try {
    return parseKeyLines(bytes);
  } catch (cause) {
    if (!(cause instanceof BadValue)) throw cause;
    throw new RootlessError({
      code: 'FLAG_FILE_INVALID',
      message: `invalid ${flag === 'env-file' ? 'env' : 'label'} file "${path}": ${cause.message}`,
      fix: 'one NAME=VALUE a line; lines that begin with # are comments',
      cause,
    });
  }
}

function readFlagFile(flag: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reasons: Record<string, string> = { ENOENT: 'no such file', EACCES: 'permission denied', EISDIR: 'it is a folder' };
    throw new RootlessError({
      code: 'FLAG_FILE_UNREADABLE',
      message: `cannot read "${path}" of --${flag}: ${reasons[code ?? ''] ?? code}`,
      cause,
    });
  }
}

function refuseSameTarget(mounts: readonly MountRequest[]): void {
  const seen = new Set<string>();
  for (const { target } of mounts) {
    if (seen.has(target)) throw conflict(`duplicate mount point: ${target}`, '-v, --mount and --tmpfs name it more than once');
    seen.add(target);
  }
}

function conflict(message: string, why: string): RootlessError {
  return new RootlessError({ code: 'FLAGS_CONFLICT', message, why });
}
