/** What `inspect` shows of a container: docker's fields where the meaning is the same, from container.json, status.json and the bundle. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Paths } from '../paths.ts';
import { planHealth } from '../runtime/health.ts';
import type { OciConfig } from '../runtime/oci.ts';
import type { PortRequest } from '../runtime/options.ts';
import type { ImageDefaults } from '../runtime/process.ts';
import { containerFolder, isRunning, type Listed } from '../runtime/state.ts';
import { exposedPorts } from './container-ports.ts';
import type { Row } from './format.ts';
import { hostConfig } from './inspect-host-config.ts';
import { mountRows } from './inspect-mounts.ts';
import { networkSettings } from './inspect-network.ts';

/** docker's word for a time that never was. */
const never = '0001-01-01T00:00:00Z';

export function inspectContainer(paths: Paths, container: Listed): Row {
  const folder = containerFolder(paths, container.id);
  const spec = readSpec(join(folder, 'config.json'));
  const [path = '', ...args] = container.command;
  const { life, options } = container;
  return {
    Id: container.id,
    Created: container.created,
    Path: path,
    Args: args,
    State: state(container),
    Image: container.imageId ?? '',
    ImageName: container.image,
    ResolvConfPath: join(folder, 'resolv.conf'),
    HostnamePath: join(folder, 'hostname'),
    HostsPath: join(folder, 'hosts'),
    LogPath: options.log.driver === 'json-file' || options.log.driver === 'plain' ? (options.log.path ?? join(folder, 'log')) : '',
    Name: container.name,
    RestartCount: life?.restarts ?? 0,
    Driver: driver(spec),
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    // Sessions of exec are not kept.
    ExecIDs: null,
    HostConfig: hostConfig(container, spec),
    GraphDriver: { Name: driver(spec), Data: layersOf(spec, folder) },
    Mounts: mountRows(container, spec),
    Config: config(container, spec),
    NetworkSettings: networkSettings(paths, container),
    Ids: { Mode: container.mode, Uid: container.idMap.uid, Gid: container.idMap.gid },
    Bundle: folder,
    OCIConfigPath: join(folder, 'config.json'),
    Monitor: isRunning(container) || container.status === 'restarting' ? { Pid: life?.monitor.pid ?? 0 } : undefined,
    CgroupPath: spec?.linux?.cgroupsPath ?? '',
  };
}

function state(container: Listed): Row {
  const { status, life, exit } = container;
  const running = isRunning(container);
  const health = life?.health;
  return {
    Status: status,
    Running: running || status === 'restarting',
    Paused: status === 'paused',
    Restarting: status === 'restarting',
    OOMKilled: exit?.oom ?? false,
    Dead: status === 'dead',
    Pid: running ? (life?.pid ?? 0) : 0,
    ExitCode: exit?.code ?? 0,
    Error: exit?.error ?? '',
    StartedAt: life?.started ?? never,
    FinishedAt: exit?.finished ?? life?.finished ?? never,
    // A field that may be asked for and is not there: docker leaves it out of the JSON.
    Health:
      health === undefined
        ? undefined
        : {
            Status: health.status,
            FailingStreak: health.failingStreak,
            Log: health.log.map(({ start, end, exitCode, output }) => ({ Start: start, End: end, ExitCode: exitCode, Output: output })),
          },
  };
}

function config({ options, base, labels, id }: Listed, spec: Partial<OciConfig> | undefined): Row {
  const image: Partial<ImageDefaults> = base.kind === 'layers' ? base.defaults : {};
  const health = planHealth(options.health, image.healthcheck);
  const entrypoint = options.entrypoint ?? image.entrypoint ?? [];
  const exposed = exposedPorts([...options.ports.map(inside), ...options.expose, ...(image.exposedPorts ?? [])]);
  return {
    Hostname: spec?.hostname ?? options.hostname ?? id.slice(0, 12),
    Domainname: options.domainname ?? '',
    User: options.user ?? image.user ?? '',
    AttachStdin: options.interactive,
    AttachStdout: true,
    AttachStderr: true,
    ExposedPorts: Object.fromEntries(exposed.map((port) => [port, {}])),
    Tty: options.tty,
    OpenStdin: options.interactive,
    StdinOnce: options.interactive,
    Env: spec?.process?.env ?? [...(image.env ?? []), ...options.env],
    Cmd: options.command.length > 0 || options.entrypoint !== undefined ? options.command : (image.cmd ?? []),
    Healthcheck:
      health === undefined
        ? undefined
        : {
            Test: health.test,
            Interval: health.interval,
            Timeout: health.timeout,
            StartPeriod: health.startPeriod,
            StartInterval: health.startInterval,
            Retries: health.retries,
          },
    Image: options.image,
    Volumes: Object.fromEntries((image.volumes ?? []).map((target) => [target, {}])),
    WorkingDir: spec?.process?.cwd ?? options.workdir ?? image.workingDir ?? '',
    Entrypoint: entrypoint.length > 0 ? entrypoint : null,
    OnBuild: null,
    Labels: labels,
    Annotations: options.annotations,
    StopSignal: options.stopSignal ?? image.stopSignal ?? 'SIGTERM',
    StopTimeout: options.stopTimeout ?? 10,
  };
}

function inside({ containerPort, protocol }: PortRequest): string {
  return `${containerPort}/${protocol}`;
}

function driver(spec: Partial<OciConfig> | undefined): string {
  const { annotations = {} } = spec ?? {};
  const overlay = annotations['io.rootless.overlay'];
  if (overlay !== undefined) return overlay.includes('"program"') ? 'fuse-overlayfs' : 'overlay';
  return annotations['io.rootless.copy'] === undefined ? 'none' : 'copy';
}

function layersOf(spec: Partial<OciConfig> | undefined, folder: string): Row {
  const root = spec?.root?.path ?? 'rootfs';
  const merged = { MergedDir: root.startsWith('/') ? root : join(folder, root) };
  const text = spec?.annotations?.['io.rootless.overlay'] ?? spec?.annotations?.['io.rootless.copy'];
  if (text === undefined) return merged;
  const plan = JSON.parse(text) as { base?: string; lower?: string[]; upper?: string; work?: string };
  const from = (path: string) => (path.startsWith('/') ? path : join(plan.base ?? folder, path));
  const own = (path: string) => (path.startsWith('/') ? path : join(folder, path));
  return {
    LowerDir: (plan.lower ?? []).map(from).join(':'),
    ...merged,
    ...(plan.upper === undefined ? {} : { UpperDir: own(plan.upper) }),
    ...(plan.work === undefined ? {} : { WorkDir: own(plan.work) }),
  };
}

/** Undefined before the first launch, and when somebody damaged it. */
function readSpec(path: string): Partial<OciConfig> | undefined {
  try {
    const spec: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof spec === 'object' && spec !== null ? spec : undefined;
  } catch {
    return undefined;
  }
}
