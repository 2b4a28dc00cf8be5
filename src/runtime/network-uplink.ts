/** The way out of a container on networks while it runs: it begins with its first network that is not internal, and ends with the last. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DnsPlan } from '../network/dns.ts';
import { pastaForwarder, pastaHost } from '../network/pasta.ts';
import { slirpForwarder } from '../network/slirp4netns.ts';
import type { Paths } from '../paths.ts';
import { defaultsOf } from './base.ts';
import { isClosed } from './network.ts';
import { askHelper } from './network-ask.ts';
import { listNetworks } from './network-store.ts';
import type { OciConfig } from './oci.ts';
import type { PortRequest } from './options.ts';
import { portOwner } from './port-owner.ts';
import { containerFolder, type Listed } from './state.ts';

export const companionAnnotation = 'io.rootless.companion';

/** What changed of it; no companion: it is gone. */
export type UplinkChange = {
  readonly companion: readonly string[] | undefined;
  readonly dns: DnsPlan | undefined;
  readonly ports: readonly PortRequest[];
};

/** `runs`: it has a process now, whose way out is changed. */
type Means = { readonly searchPath: readonly string[]; readonly runs: boolean };

/**
 * After its networks have changed. @returns undefined where the way out stays what it was
 * @throws RootlessError NETWORK_FAILED, and those of a private network: PORT_IN_USE, …
 */
export async function settleUplink(paths: Paths, container: Listed, { searchPath, runs }: Means): Promise<UplinkChange | undefined> {
  const { id, options } = container;
  const joined = listNetworks(paths).filter(({ name }) => options.networks?.some((one) => one.network === name));
  const closed = isClosed(
    options,
    joined.map((network) => ({ network })),
  );
  if (closed === (readUplink(paths, id) === undefined)) return undefined;
  const change = closed ? { companion: undefined, dns: undefined, ports: [] } : await newUplink(paths, container, searchPath);
  if (runs) await askHelper(paths, ['uplink', id], options.networks?.at(-1)?.network ?? '', JSON.stringify(change.companion ?? []));
  return change;
}

async function newUplink(paths: Paths, { options, base }: Listed, searchPath: readonly string[]): Promise<UplinkChange> {
  const { planNetwork } = await import('../network/index.ts');
  const ports = options.publishAll ? (await import('./exposed.ts')).publishAll(options, defaultsOf(base, paths)) : options.ports;
  const place = { searchPath, runtime: paths.runtime, owner: portOwner(paths) };
  return planNetwork({ ports, uplink: options.uplink, ifname: 'uplink0' }, place);
}

/** Of the way out that it has now, if it has one. The host's address is in its /etc/hosts where pasta has none for it. */
export function readUplink(paths: Paths, id: string): DnsPlan | undefined {
  const config = JSON.parse(readFileSync(join(containerFolder(paths, id), 'config.json'), 'utf8')) as OciConfig;
  const companion = config.annotations[companionAnnotation];
  if (companion === undefined) return undefined;
  return {
    forwarder: companion.includes(pastaForwarder) ? pastaForwarder : slirpForwarder,
    host: companion.includes(pastaHost) ? pastaHost : undefined,
  };
}
