/** The network of a launch: what the helper is told, and what names the container finds. */

import type { DnsPlan } from '../network/dns.ts';
import type { Host } from '../userns/host.ts';
import type { RunContext } from './context.ts';
import { readResolvConf } from './files.ts';
import type { ContainerOptions, PortRequest } from './options.ts';
import type { ImageDefaults } from './process.ts';

export type NetworkFacts = {
  readonly id: string;
  readonly name: string;
  readonly options: ContainerOptions;
  readonly host: Host;
};

export type LaunchNetwork = {
  /** argv of the process that serves it. */
  readonly companion?: readonly string[] | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Of a namespace that is there. */
  readonly path?: string | undefined;
  readonly dns?: DnsPlan | undefined;
  /** With real numbers where any free port would do. */
  readonly ports?: readonly PortRequest[] | undefined;
  /** Folder of the container whose hostname, hosts and resolv.conf it has too. */
  readonly filesOf?: string | undefined;
};

/** True if it goes on when the process is gone whose namespace it was shown: slirp4netns, and a pasta that is told so. */
function mayServeEarly({ companion = [] }: LaunchNetwork): boolean {
  return companion.length > 0 && (companion.includes('--no-netns-quit') || !companion.includes('--config-net'));
}

type Serve = (companion: readonly string[]) => void;

/** What serves it begins at once, if it may. @throws RootlessError whatever of it cannot be had here and now */
export async function planAndServe(
  facts: NetworkFacts,
  image: ImageDefaults,
  context: RunContext,
  serve: Serve | undefined,
): Promise<LaunchNetwork> {
  const network = await planNetworkOf(facts, image, context);
  if (network.companion !== undefined && mayServeEarly(network)) serve?.(network.companion);
  return network;
}

/** Before the image is known, which `-P` would need. @throws RootlessError as above */
export async function planPrivate(options: ContainerOptions, context: RunContext, serve: Serve): Promise<LaunchNetwork> {
  const network = await planUplink(options, options.ports, context);
  if (mayServeEarly(network)) serve(network.companion);
  return network;
}

/** @throws RootlessError whatever of it cannot be had here and now */
async function planNetworkOf(facts: NetworkFacts, image: ImageDefaults, context: RunContext): Promise<LaunchNetwork> {
  const { options } = facts;
  switch (options.network) {
    case 'private':
      return planUplink(options, await portsOf(options, image), context);
    case 'networks':
      return planNetworks(facts, image, context);
    case 'container': {
      const { planShared } = await import('./network-shared.ts');
      return planShared(context.paths, facts);
    }
    case 'namespace':
      return { path: options.networkOf };
    default:
      return {};
  }
}

async function portsOf(options: ContainerOptions, image: ImageDefaults): Promise<readonly PortRequest[]> {
  return options.publishAll ? (await import('./exposed.ts')).publishAll(options, image) : options.ports;
}

async function planUplink(options: ContainerOptions, ports: readonly PortRequest[], context: RunContext, ifname?: string) {
  const { planNetwork } = await import('../network/index.ts');
  const { paths, searchPath } = context;
  const owner = ports.length > 0 ? (await import('./port-owner.ts')).portOwner(paths) : undefined;
  return planNetwork({ ports, uplink: options.uplink, ifname }, { searchPath, runtime: paths.runtime, owner });
}

/** Its way out of user-defined networks is the same as that of a private one, unless all of them are internal. */
async function planNetworks(facts: NetworkFacts, image: ImageDefaults, context: RunContext): Promise<LaunchNetwork> {
  const { joinNetworks } = await import('./network-join.ts');
  const { attachmentOf, namesOf, networksAnnotation, networksText } = await import('./network-annotation.ts');
  const { paths } = context;
  const joined = await joinNetworks(paths, facts.id, facts.options.networks ?? []);
  const attach = joined.map((one) => attachmentOf(one, namesOf(facts)));
  const ports = await portsOf(facts.options, image);
  const uplink = isClosed(facts.options, joined) ? undefined : await planUplink(facts.options, ports, context, 'uplink0');
  return {
    companion: uplink?.companion,
    annotations: { [networksAnnotation]: networksText(paths, facts.host, facts.options, readResolvConf(), attach) },
    dns: networksDns(attach, uplink?.dns),
    ports: uplink?.ports,
  };
}

/** Nothing leads out: all of its networks are internal, or it is on none any more. */
export function isClosed(
  { privateToo }: ContainerOptions,
  joined: readonly { readonly network: { readonly internal: boolean } }[],
): boolean {
  return !privateToo && joined.every(({ network }) => network.internal);
}

type Named = { readonly dns: boolean; readonly gateways: readonly string[]; readonly addresses: readonly string[] };

export function networksDns(attach: readonly Named[], uplink: DnsPlan | undefined): DnsPlan {
  return {
    forwarder: uplink?.forwarder,
    host: uplink?.host,
    servers: attach.filter(({ dns }) => dns).flatMap(({ gateways }) => gateways.slice(0, 1)),
    own: attach.flatMap(({ addresses }) => addresses.map((address) => address.replace(/\/.*$/, ''))),
  };
}
