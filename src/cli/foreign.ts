/** What docker and podman have and rootless does not: where people who type it get on. Loaded for the error alone. */

import { RootlessError } from '../errors.ts';

const link = 'containers on one network reach each other by name: rootless network create NAME, and --network NAME --network-alias ALIAS';
const units = 'a shell script of "rootless run" lines, or one .container file each: docs/systemd.md';
const own = 'every container has a namespace of its own; what it needs of another goes through volumes and published ports';
const swarm = 'networks are of this machine and this user: there is no swarm';

export const foreignCommands: ReadonlyMap<string, string> = new Map([
  ['build', 'rootless does not build: buildah bud -t NAME . && buildah push NAME oci-archive:app.tar:NAME && rootless load -i app.tar'],
  ['buildx', 'rootless does not build: buildah bud does, and "rootless load" takes what it pushes to oci-archive:FILE:NAME'],
  ['compose', units],
  ['pod', units],
  ['service', units],
  ['stack', units],
]);

/** By name; one that some commands have is named with the command that has it not. */
export const foreignFlags: ReadonlyMap<string, string> = new Map([
  ['link', link],
  ['ipc', own],
  ['pid', own],
  ['uts', own],
  ['route', 'routes are a container\'s own: --cap-add NET_ADMIN, and "ip route add" in it'],
  ['no-default-route', 'a network without a way out is --internal'],
  ['ipam-opt', 'addresses are kept by rootless itself: --subnet, --ip-range, --gateway and --aux-address choose them'],
  ['interface-name', "a bridge is where nobody sees its name; that of a container's interface: --network NAME:interface_name=lan0"],
  ['network create dns', 'each container asks its own: rootless run --dns ADDRESS'],
  ['scope', swarm],
  ['ingress', swarm],
  ['config-only', swarm],
  ['config-from', swarm],
  ['gpus', 'name the devices: --device /dev/dri, or --device /dev/nvidia0 and those beside it'],
]);

/** The same error with a way on, where what was typed is known from elsewhere. */
export function withWayOn(error: RootlessError, argv: readonly string[]): RootlessError {
  const { code, message, exit } = error;
  const flag = /^unknown flag: --([a-z-]+)$/.exec(message)?.[1] ?? '';
  const words = argv.filter((word) => !word.startsWith('-'));
  const ofFlag = () => foreignFlags.get([...words.slice(0, 2), flag].join(' ')) ?? foreignFlags.get(flag);
  const fix = code === 'UNKNOWN_COMMAND' ? foreignCommands.get(words[0] ?? '') : ofFlag();
  return fix === undefined ? error : new RootlessError({ code, message, fix, exit, cause: error });
}
