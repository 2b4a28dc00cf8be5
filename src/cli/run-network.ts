/** What `--network` and the flags beside it say together: docker's conflicts, in docker's words. */

import { RootlessError } from '../errors.ts';
import type { ContainerOptions, NetworkRequest, PortRequest } from '../runtime/options.ts';
import type { NetworkWord } from './values/network.ts';

export type NetworkFlags = {
  readonly words: readonly NetworkWord[];
  readonly aliases: readonly string[];
  readonly ip: string | undefined;
  readonly ip6: string | undefined;
  readonly mac: string | undefined;
  readonly ports: readonly PortRequest[];
  readonly publishAll: boolean;
  /** Flags about names that were typed: `--hostname`, `--add-host`, `--dns`. */
  readonly names: readonly string[];
};

export type NetworkOptions = Pick<ContainerOptions, 'network' | 'networks' | 'networkOf' | 'uplink'>;

/** @throws RootlessError FLAGS_CONFLICT */
export function toNetwork(flags: NetworkFlags): NetworkOptions {
  const { words } = flags;
  const networks = words.flatMap((word) => (word.kind === 'networks' ? word.networks : []));
  const modes = words.flatMap((word) => (word.kind === 'mode' ? [word] : []));
  if (modes.length > 0 && (networks.length > 0 || modes.length > 1)) {
    throw conflict(
      'conflicting options: cannot attach both user-defined and non-user-defined network-modes',
      'private, host, none, container: and ns: stand alone',
    );
  }
  if (networks.length > 0) return { network: 'networks', networks: withFlags(networks, flags) };
  const [mode] = modes;
  const network = mode?.network ?? 'private';
  refuseAddresses(network, flags);
  if (network === 'container') refuseShared(flags);
  return {
    network,
    ...(mode?.of === undefined ? {} : { networkOf: mode.of }),
    ...withUplink(mode, network, flags.mac),
  };
}

/** Names are for all of them; an address can only be meant for one. */
function withFlags(networks: readonly NetworkRequest[], { aliases, ip, ip6, mac }: NetworkFlags): NetworkRequest[] {
  const addressed = ip !== undefined ? '--ip' : ip6 !== undefined ? '--ip6' : mac !== undefined ? '--mac-address' : undefined;
  if (addressed !== undefined && networks.length > 1) {
    throw conflict(
      `${addressed} can only be set for a single network`,
      'of several networks each can have its own: --network NAME:ip=10.89.0.9,mac=02:42:0a:59:00:09',
    );
  }
  return networks.map((one) => ({
    ...one,
    aliases: [...one.aliases, ...aliases],
    ...(ip === undefined ? {} : { ip }),
    ...(ip6 === undefined ? {} : { ip6 }),
    ...(mac === undefined ? {} : { mac }),
  }));
}

function withUplink(mode: Extract<NetworkWord, { kind: 'mode' }> | undefined, network: string, mac: string | undefined) {
  const { uplink } = mode ?? {};
  if (mac === undefined || network !== 'private') return uplink === undefined ? {} : { uplink };
  if (uplink?.program === 'slirp4netns') throw conflict('cannot set --mac-address with slirp4netns', 'it has no option for it');
  return { uplink: { program: 'pasta' as const, options: uplink?.options ?? [], mac } };
}

function refuseAddresses(network: string, { aliases, ip, ip6, mac }: NetworkFlags): void {
  const shown = network === 'container' || network === 'namespace' ? network : `"${network}"`;
  if (aliases.length > 0) {
    throw conflict('network-scoped aliases are only supported for user-defined networks', `with network ${shown} nobody else is there`);
  }
  if (ip !== undefined || ip6 !== undefined) {
    throw conflict('user specified IP address is supported on user defined networks only', `network ${shown} has the addresses it has`);
  }
  if (mac !== undefined && network !== 'private') {
    throw conflict('conflicting options: mac-address and the network mode', `network ${shown} has no interface of its own to give it to`);
  }
}

function refuseShared({ ports, publishAll, names }: NetworkFlags): void {
  if (ports.length > 0 || publishAll) {
    throw conflict(
      'conflicting options: port publishing and the container type network mode',
      'ports are published where the other container is made',
    );
  }
  if (names[0] === undefined) return;
  throw conflict(`conflicting options: ${names[0]} and the container type network mode`, 'names are those of the other container');
}

function conflict(message: string, why: string): RootlessError {
  return new RootlessError({ code: 'FLAGS_CONFLICT', message, why });
}
