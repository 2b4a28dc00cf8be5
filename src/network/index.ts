/** A private network for one container: which program serves it, and what addresses it gives. */

import { RootlessError } from '../errors.ts';
import { findProgram } from '../programs.ts';
import type { DnsPlan } from './dns.ts';
import { ownAddress, ownPlace } from './host-address.ts';
import { askedOf, pastaArgs, pastaForwarder, pastaHost } from './pasta.ts';
import { firstFreePort, type PortOwner, type PortRequest, reservePorts } from './ports.ts';
import { pastaKnows } from './pasta-knows.ts';
import { planSlirp } from './slirp4netns.ts';
import { checkTun } from './tun.ts';

export type NetworkPlan = {
  /** argv of the serving process; `{pid}` is the helper's to fill in. */
  readonly companion: readonly string[];
  readonly dns: DnsPlan;
  /** As asked, with real numbers where any free port would do. */
  readonly ports: readonly PortRequest[];
};

type Uplink = { readonly program: 'pasta' | 'slirp4netns'; readonly options: readonly string[]; readonly mac?: string | undefined };

export type NetworkWish = {
  readonly ports: readonly PortRequest[];
  /** Which of the two, and what else it is told. */
  readonly uplink?: Uplink | undefined;
  /** Name of its interface in the container. */
  readonly ifname?: string | undefined;
};

export type NetworkPlace = {
  readonly searchPath: readonly string[];
  /** Where it is remembered what the programs can do. */
  readonly runtime: string;
  readonly owner?: PortOwner | undefined;
};

/** @throws RootlessError TUN_UNAVAILABLE, NETWORK_TOOL_MISSING, NETWORK_OPTION_INVALID, and those of reservePorts */
export async function planNetwork(
  { ports: asked, uplink, ifname }: NetworkWish,
  { searchPath, runtime, owner }: NetworkPlace,
): Promise<NetworkPlan> {
  checkTun();
  const pasta = uplink?.program === 'slirp4netns' ? undefined : findProgram('pasta', searchPath);
  const slirp = pasta || uplink?.program === 'pasta' ? undefined : findProgram('slirp4netns', searchPath);
  if (pasta === undefined && slirp === undefined) throw noTool(uplink?.program);
  const ports = asked.length > 0 ? await reservePorts(asked, firstFreePort(), owner) : [];
  if (slirp !== undefined) {
    const { args, forwarder, host } = planSlirp(slirp, { options: uplink?.options, ifname, ports });
    return { companion: args, dns: { forwarder, host: host ?? ownAddress() }, ports };
  }
  const { knows, build, usually } = pastaKnows(pasta ?? '', runtime);
  const { mac, options = [] } = uplink ?? {};
  if (mac !== undefined && !knows.has('ns-mac-addr')) throw noMac();
  const chosen = askedOf(options);
  const free = !['--address', '--netmask', '--gateway', '--ipv6-only'].some((option) => chosen.has(option));
  const place = free && !knows.has('map-guest-addr') ? ownPlace() : undefined;
  const companion = pastaArgs(build, { ports, knows, asRoot: process.geteuid?.() === 0, ifname, place, mac, options });
  if (asked.length === 0 && uplink === undefined && ifname === undefined && knows.has('no-netns-quit')) usually(companion);
  return { companion, dns: { forwarder: pastaForwarder, host: companion.includes(pastaHost) ? pastaHost : place?.host }, ports };
}

function noTool(asked: string | undefined): RootlessError {
  const what = asked === undefined ? 'neither pasta nor slirp4netns is' : `${asked} is not`;
  return new RootlessError({
    code: 'NETWORK_TOOL_MISSING',
    message: `cannot make a private network: ${what} installed`,
    why: 'one of them carries the traffic of containers that users run',
    fix:
      asked === 'slirp4netns'
        ? 'leave out --network slirp4netns: pasta is the default'
        : 'sudo apt-get install passt (Debian, Ubuntu; passt elsewhere too), or use --network none or --network host',
  });
}

function noMac(): RootlessError {
  return new RootlessError({
    code: 'NETWORK_OPTION_INVALID',
    message: 'cannot set --mac-address: the installed pasta has no --ns-mac-addr',
    fix: 'install a newer passt, or use a network of yours: rootless network create',
  });
}
