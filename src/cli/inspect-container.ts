/** What `inspect` shows of a container: container.json, exit.json and the bundle's own config.json. */

import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Paths } from '../paths.ts';
import { containerFolder, type Listed } from '../runtime/state.ts';
import type { Row } from './format.ts';

/** The parts of config.json that are shown under docker's names. */
type Spec = {
  readonly process?: {
    readonly args?: readonly string[];
    readonly env?: readonly string[];
    readonly cwd?: string;
    readonly terminal?: boolean;
  };
  readonly hostname?: string;
  readonly mounts?: readonly {
    readonly type?: string;
    readonly source?: string;
    readonly destination?: string;
    readonly options?: readonly string[];
  }[];
  readonly annotations?: Readonly<Record<string, string>>;
};

export function inspectContainer(paths: Paths, container: Listed): Row {
  const folder = containerFolder(paths, container.id);
  const spec = readSpec(join(folder, 'config.json'));
  const [path = '', ...args] = spec?.process?.args ?? container.command;
  const { status, exit } = container;
  return {
    Id: container.id,
    Name: container.name,
    Created: container.created,
    Path: path,
    Args: args,
    State: {
      Status: status,
      Running: status === 'running',
      OOMKilled: exit?.oom ?? false,
      ExitCode: exit?.code ?? 0,
      FinishedAt: exit?.finished ?? '',
    },
    Image: container.imageId ?? '',
    Config: {
      Image: container.image,
      Hostname: spec?.hostname ?? '',
      User: spec?.annotations?.['io.rootless.user'] ?? '',
      Env: spec?.process?.env ?? [],
      Cmd: container.command,
      WorkingDir: spec?.process?.cwd ?? '',
      Tty: spec?.process?.terminal ?? false,
      Labels: container.labels,
    },
    HostConfig: { AutoRemove: container.remove, NetworkMode: container.network },
    Mounts: (spec?.mounts ?? []).flatMap((mount) => mountRow(mount, folder, join(paths.data, 'volumes'))),
    NetworkSettings: { Ports: ports(container) },
    Ids: { Mode: container.mode, Uid: container.idMap.uid, Gid: container.idMap.gid },
    Bundle: folder,
  };
}

type Mount = NonNullable<Spec['mounts']>[number];

/** What was asked for: kernel filesystems and our own files (/etc/hosts, …) are left out. */
function mountRow({ type, source = '', destination, options = [] }: Mount, folder: string, volumes: string): Row[] {
  if (type !== 'bind' || dirname(source) === folder) return [];
  const row = { Source: source, Destination: destination, RW: !options.includes('ro'), Mode: options.join(',') };
  const isVolume = dirname(source) === volumes || dirname(source) === join(folder, 'volumes');
  return [isVolume ? { Type: 'volume', Name: basename(source), ...row } : { Type: 'bind', ...row }];
}

/** docker's shape: `{"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}`. */
function ports({ ports }: Listed): Row {
  const map: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { hostAddress, hostPort, containerPort, protocol } of ports) {
    const key = `${containerPort}/${protocol}`;
    map[key] = [...(map[key] ?? []), { HostIp: hostAddress ?? '0.0.0.0', HostPort: String(hostPort) }];
  }
  return map;
}

function readSpec(path: string): Spec | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Spec;
  } catch {
    return undefined;
  }
}
