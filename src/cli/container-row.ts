/** A container as tables, templates and JSON lines show it: docker's fields, and some of podman's. */

import type { MountRequest } from '../runtime/options.ts';
import type { Listed } from '../runtime/state.ts';
import { exposedBy } from './container-images.ts';
import { portsText } from './container-ports.ts';
import { ago, duration, localDate, type Row } from './format.ts';
import { cut } from './text.ts';

/** docker's headings of the fields in a table. */
export const containerHeadings = { ID: 'CONTAINER ID', RunningFor: 'CREATED', LocalVolumes: 'LOCAL VOLUMES', Pid: 'PID' } as const;

export type RowFacts = {
  /** Nothing is shortened. */
  readonly full: boolean;
  readonly now: number;
  /** Already in words; empty where nobody asked. */
  readonly size: (container: Listed) => string;
};

/** What a row does not show is not found out: each field is a getter. */
export function containerRow(container: Listed, { full, now, size }: RowFacts): Row {
  const { id, imageId, command, created, labels, life, status } = container;
  const { mounts } = container.options;
  const running = status === 'running' || status === 'paused';
  return {
    ID: full ? id : id.slice(0, 12),
    get Image() {
      return container.image || (imageId ?? '').replace(/^sha256:/, '').slice(0, 12);
    },
    get ImageID() {
      return imageId ?? '';
    },
    get Command() {
      const text = command.join(' ');
      return JSON.stringify(full ? text : cut(text, 20));
    },
    get CreatedAt() {
      return localDate(created);
    },
    get RunningFor() {
      return ago(created, now);
    },
    get Created() {
      return Math.floor(Date.parse(created) / 1000);
    },
    get StartedAt() {
      return life?.started === undefined ? '' : localDate(life.started);
    },
    get ExitedAt() {
      return container.exit === undefined ? '' : localDate(container.exit.finished);
    },
    State: status,
    get Status() {
      return statusText(container, now);
    },
    get Health() {
      return running ? (life?.health?.status ?? '') : '';
    },
    ExitCode: container.exit?.code ?? 0,
    Pid: running ? (life?.pid ?? 0) : 0,
    Restarts: life?.restarts ?? 0,
    get Ports() {
      // A container that does not run listens nowhere; docker shows nothing then.
      if (!running) return '';
      return portsText(container.ports, [...container.options.expose, ...exposedBy(container)]);
    },
    Names: container.name,
    get Mounts() {
      return mounts.map((mount) => (full ? mountName(mount) : cut(mountName(mount), 15))).join(',');
    },
    get LocalVolumes() {
      return String(mounts.filter(({ kind }) => kind === 'volume').length);
    },
    Networks: container.network,
    get Size() {
      return size(container);
    },
    get Labels() {
      return Object.entries(labels)
        .map(([key, value]) => `${key}=${value}`)
        .sort()
        .join(',');
    },
    Label: (key: string) => (Object.hasOwn(labels, key) ? (labels[key] ?? '') : ''),
  };
}

/** What docker calls a mount in a list: its volume, or where it comes from. */
function mountName(mount: MountRequest): string {
  if (mount.kind === 'tmpfs') return mount.target;
  return mount.kind === 'volume' ? (mount.name ?? '') : mount.source;
}

/** docker's words: `Up 3 minutes (healthy)`, `Exited (1) 2 hours ago`, `Created`. */
export function statusText({ status, life, exit }: Pick<Listed, 'status' | 'life' | 'exit'>, now: number): string {
  const up = () => `Up ${duration(Math.max(0, (now - Date.parse(life?.started ?? '')) / 1000))}`;
  switch (status) {
    case 'created':
      return 'Created';
    case 'dead':
      return 'Dead';
    case 'paused':
      return `${up()} (Paused)`;
    case 'running': {
      const health = life?.health?.status;
      return health === undefined ? up() : `${up()} (${health === 'starting' ? 'health: starting' : health})`;
    }
    default: {
      const word = status === 'restarting' ? 'Restarting' : 'Exited';
      return exit === undefined ? word : `${word} (${exit.code}) ${ago(exit.finished, now)}`;
    }
  }
}
