/** `rootless port`: which port of this machine leads to which port of a container. */

import { RootlessError } from '../errors.ts';
import { findPaths, type Paths } from '../paths.ts';
import type { PortRequest } from '../runtime/options.ts';
import { findContainer, isActive, latestContainer, type Listed, listActive } from '../runtime/state.ts';
import { command } from './command.ts';
import { print } from './output.ts';

export default command({
  name: 'port',
  flags: {
    all: { type: 'boolean', alias: 'a', description: 'of all running containers' },
    latest: { type: 'boolean', alias: 'l', description: 'of the container that was created last' },
  },
  words: { usage: 'CONTAINER [PORT[/PROTOCOL]]', min: 0, max: 2, complete: 'container' },
  examples: ['rootless port web', 'rootless port web 80', 'rootless port web 53/udp'],
  run: ({ flags, args, env }) => {
    const paths = findPaths(env);
    if (flags.all) {
      for (const container of listActive(paths)) {
        print(
          published(container)
            .map((port) => `${container.id.slice(0, 12)}\t${line(port)}\n`)
            .join(''),
        );
      }
      return 0;
    }
    const { container, wanted } = target(paths, args, flags.latest);
    const ports = published(container);
    if (wanted === undefined) print(ports.map((port) => `${line(port)}\n`).join(''));
    else
      print(
        chosen(ports, wanted, container.name)
          .map((port) => `${outside(port)}\n`)
          .join(''),
      );
    return 0;
  },
});

function target(
  paths: Paths,
  args: readonly string[],
  latest: boolean,
): { readonly container: Listed; readonly wanted: string | undefined } {
  const [name, wanted] = latest ? [undefined, args[0]] : args;
  if (!latest && name === undefined) {
    throw new RootlessError({
      code: 'ARGUMENTS_WRONG',
      message: '"rootless port" requires at least 1 argument',
      fix: 'rootless port CONTAINER [PORT[/PROTOCOL]]',
    });
  }
  return { container: name === undefined ? latestContainer(paths) : findContainer(paths, name), wanted };
}

/** Ports lead somewhere while the container runs; sorted as docker has them. */
function published(container: Listed): readonly PortRequest[] {
  if (!isActive(container)) return [];
  return container.ports.toSorted(
    (a, b) => a.containerPort - b.containerPort || a.protocol.localeCompare(b.protocol) || a.hostPort - b.hostPort,
  );
}

function chosen(ports: readonly PortRequest[], wanted: string, name: string): readonly PortRequest[] {
  const found = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(wanted.toLowerCase());
  if (found === null)
    throw new RootlessError({
      code: 'PORT_INVALID',
      message: `invalid port "${wanted}"`,
      fix: 'a port of the container: 80, 53/udp',
      exit: 1,
    });
  const [, number, protocol = 'tcp'] = found;
  const same = ports.filter((port) => port.containerPort === Number(number) && port.protocol === protocol);
  if (same.length > 0) return same;
  throw new RootlessError({ code: 'PORT_NOT_PUBLISHED', message: `no public port '${number}/${protocol}' published for ${name}`, exit: 1 });
}

function line(port: PortRequest): string {
  return `${port.containerPort}/${port.protocol} -> ${outside(port)}`;
}

function outside({ hostAddress, hostPort }: PortRequest): string {
  const address = hostAddress || '0.0.0.0';
  return `${address.includes(':') ? `[${address}]` : address}:${hostPort}`;
}
