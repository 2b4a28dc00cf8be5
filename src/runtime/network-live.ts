/** Changes the networks of a container that runs, and what its next start by the monitor is told. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DnsPlan, hostLine, hostsFile } from '../network/dns.ts';
import type { Paths } from '../paths.ts';
import type { Host } from '../userns/host.ts';
import { fullName, readResolvConf, resolvText } from './files.ts';
import { networksDns } from './network.ts';
import { askHelper } from './network-ask.ts';
import { type Attachment, attachmentOf, namesOf, networksAnnotation, networksText } from './network-annotation.ts';
import { joinNetworks } from './network-join.ts';
import type { Network } from './network-store.ts';
import { companionAnnotation, readUplink, type UplinkChange } from './network-uplink.ts';
import type { OciConfig } from './oci.ts';
import { replace } from './replace.ts';
import { containerFolder, type Listed } from './state.ts';

/** A second time with another name or more aliases: what was there is replaced. @throws RootlessError NETWORK_FAILED */
export async function attachNow(paths: Paths, container: Listed, network: Network): Promise<void> {
  const attach = await attachments(paths, container);
  const entry = attach.find((one) => one.network === network.id);
  if (entry) await askHelper(paths, ['attach', container.id], network.name, JSON.stringify(entry));
}

/** @throws RootlessError NETWORK_FAILED, unless `force` */
export async function detachNow(paths: Paths, { id }: Listed, network: Network, force: boolean): Promise<void> {
  try {
    await askHelper(paths, ['detach', id, network.id], network.name, '');
  } catch (error) {
    if (!force) throw error;
  }
}

/**
 * config.json is what the monitor starts from, without anybody to ask; /etc/hosts says under which addresses it is known.
 * @param uplink undefined: the way out stays what it was
 */
export async function rewriteNetworks(paths: Paths, container: Listed, host: Host, uplink: UplinkChange | undefined): Promise<void> {
  const file = join(containerFolder(paths, container.id), 'config.json');
  const config = JSON.parse(readFileSync(file, 'utf8')) as OciConfig;
  const attach = await attachments(paths, container);
  const text = networksText(paths, host, container.options, readResolvConf(), attach);
  const before = uplink === undefined ? config.annotations : withCompanion(config.annotations, uplink.companion);
  replace(file, JSON.stringify({ ...config, annotations: { ...before, [networksAnnotation]: text } }));
  const dns = networksDns(attach, uplink === undefined ? readUplink(paths, container.id) : uplink.dns);
  rewriteHosts(paths, container, dns, uplink);
  rewriteResolv(paths, container, dns);
}

type Annotations = Readonly<Record<string, string>>;

function withCompanion({ [companionAnnotation]: _, ...others }: Annotations, companion: readonly string[] | undefined): Annotations {
  return companion === undefined ? others : { ...others, [companionAnnotation]: JSON.stringify(companion) };
}

/** In place: the container has this very file. Lines that were added in the container stay. */
function rewriteHosts(paths: Paths, { id, options }: Listed, { own, host }: DnsPlan, uplink: UplinkChange | undefined): void {
  if (options.noHosts) return;
  const fresh = hostsFile(fullName(options, id), [], { forwarder: undefined, host: undefined, own }).split('\n').slice(2, -1);
  const names = fresh[0]?.split('\t')[1];
  const stale = (line: string) => line.split('\t')[1] === names || (uplink !== undefined && line.endsWith(hostLine('')));
  rewrite(join(containerFolder(paths, id), 'hosts'), (text) => {
    const kept = text.split('\n').filter((line) => !stale(line));
    const added = uplink !== undefined && host !== undefined ? [hostLine(host)] : [];
    return [...kept.slice(0, 2), ...fresh, ...added, ...kept.slice(2)].join('\n');
  });
}

function rewriteResolv(paths: Paths, { id, options }: Listed, dns: DnsPlan): void {
  rewrite(join(containerFolder(paths, id), 'resolv.conf'), () => resolvText(options, dns));
}

function rewrite(file: string, change: (text: string) => string): void {
  try {
    writeFileSync(file, change(readFileSync(file, 'utf8')));
  } catch {
    // It never had one.
  }
}

async function attachments(paths: Paths, container: Listed): Promise<Attachment[]> {
  const joined = await joinNetworks(paths, container.id, container.options.networks ?? []);
  return joined.map((one) => attachmentOf(one, namesOf(container)));
}
