/** A container as tables, templates and JSON lines show it: docker's fields. */

import type { Listed } from '../runtime/state.ts';
import { ago, duration, type Row } from './format.ts';
import { cut } from './text.ts';

export function containerRow(container: Listed, full: boolean, now: number): Row {
  const command = container.command.join(' ');
  return {
    ID: full ? container.id : container.id.slice(0, 12),
    Image: container.image,
    Command: `"${full ? command : cut(command, 20)}"`,
    CreatedAt: container.created,
    RunningFor: ago(container.created, now),
    State: container.status,
    Status: statusText(container, now),
    ExitCode: container.exit?.code ?? 0,
    Ports: portsText(container),
    Names: container.name,
    Networks: container.network,
    Labels: Object.entries(container.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
  };
}

/** docker's words: `Up 3 minutes`, `Exited (1) 2 hours ago`, `Created`. */
export function statusText({ status, created, exit }: Listed, now: number): string {
  if (status === 'created') return 'Created';
  if (status === 'running') return `Up ${duration(Math.max(0, (now - Date.parse(created)) / 1000))}`;
  // A rootless that was killed could not write down how its container ended.
  return exit === undefined ? 'Exited' : `Exited (${exit.code}) ${ago(exit.finished, now)}`;
}

function portsText({ ports }: Listed): string {
  return ports
    .map(({ hostAddress = '0.0.0.0', hostPort, containerPort, protocol }) => {
      const host = hostAddress.includes(':') ? `[${hostAddress}]` : hostAddress;
      return `${host}:${hostPort === 0 ? '' : hostPort}->${containerPort}/${protocol}`;
    })
    .join(', ');
}
