/** Changes the networks of a container that runs, and what its next start by the monitor is told. */

import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { parseEvents } from '../helper.ts';
import { type DnsPlan, hostsFile } from '../network/dns.ts';
import { pastaForwarder } from '../network/pasta.ts';
import { slirpForwarder } from '../network/slirp4netns.ts';
import type { Paths } from '../paths.ts';
import type { Host } from '../userns/host.ts';
import { fullName, readResolvConf, resolvText } from './files.ts';
import { networksDns } from './network.ts';
import { type Attachment, attachmentOf, namesOf, networksAnnotation, networksText } from './network-annotation.ts';
import { joinNetworks } from './network-join.ts';
import type { Network } from './network-store.ts';
import type { OciConfig } from './oci.ts';
import { replace } from './replace.ts';
import { containerFolder, type Listed } from './state.ts';

/** A second time with another name or more aliases: what was there is replaced. @throws RootlessError NETWORK_FAILED */
export async function attachNow(paths: Paths, container: Listed, network: Network): Promise<void> {
  const attach = await attachments(paths, container);
  const entry = attach.find((one) => one.network === network.id);
  if (entry) await ask(paths, ['attach', container.id], network.name, JSON.stringify(entry));
}

/** @throws RootlessError NETWORK_FAILED, unless `force` */
export async function detachNow(paths: Paths, { id }: Listed, network: Network, force: boolean): Promise<void> {
  try {
    await ask(paths, ['detach', id, network.id], network.name, '');
  } catch (error) {
    if (!force) throw error;
  }
}

/** config.json is what the monitor starts from, without anybody to ask; /etc/hosts says under which addresses it is known. */
export async function rewriteNetworks(paths: Paths, container: Listed, host: Host): Promise<void> {
  const file = join(containerFolder(paths, container.id), 'config.json');
  const config = JSON.parse(readFileSync(file, 'utf8')) as OciConfig;
  const attach = await attachments(paths, container);
  const text = networksText(paths, host, container.options, readResolvConf(), attach);
  replace(file, JSON.stringify({ ...config, annotations: { ...config.annotations, [networksAnnotation]: text } }));
  const dns = networksDns(attach, uplinkDns(config));
  rewriteHosts(paths, container, dns);
  rewriteResolv(paths, container, dns);
}

/** It was started with a way out. */
export function hasUplink(paths: Paths, id: string): boolean {
  const config = JSON.parse(readFileSync(join(containerFolder(paths, id), 'config.json'), 'utf8')) as OciConfig;
  return uplinkDns(config) !== undefined;
}

/** Of the way out that it was started with, if it was. */
function uplinkDns({ annotations }: OciConfig): DnsPlan | undefined {
  const companion = annotations['io.rootless.companion'];
  if (companion === undefined) return undefined;
  return { forwarder: companion.includes(pastaForwarder) ? pastaForwarder : slirpForwarder, host: undefined };
}

/** In place: the container has this very file. Lines that were added in the container stay. */
function rewriteHosts(paths: Paths, { id, options }: Listed, { own }: DnsPlan): void {
  if (options.noHosts) return;
  const fresh = hostsFile(fullName(options, id), [], { forwarder: undefined, host: undefined, own }).split('\n').slice(2, -1);
  const names = fresh[0]?.split('\t')[1];
  rewrite(join(containerFolder(paths, id), 'hosts'), (text) => {
    const kept = text.split('\n').filter((line) => line.split('\t')[1] !== names);
    return [...kept.slice(0, 2), ...fresh, ...kept.slice(2)].join('\n');
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

/** The helper reads what to do on its input. */
async function ask(paths: Paths, args: readonly string[], name: string, input: string): Promise<void> {
  const child = spawn(paths.helper, ['--root', paths.runtime, '--events-fd', '3', 'network', ...args], {
    stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
  });
  const chunks: Buffer[] = [];
  child.stdio[3]?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  const code = await new Promise<number>((resolve) => {
    child.once('error', () => resolve(125));
    child.once('close', (status) => resolve(status ?? 125));
  });
  if (code === 0) return;
  const failure = parseEvents(Buffer.concat(chunks).toString()).find((event) => event.event === 'error');
  throw new RootlessError({
    code: 'NETWORK_FAILED',
    message: `cannot change network "${name}" of a running container: ${[failure?.errno, failure?.message].filter(Boolean).join(': ') || `the helper ended with ${code}`}`,
    why: failure?.target,
    exit: 1,
  });
}
