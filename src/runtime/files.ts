/** /etc/hostname, /etc/hosts and /etc/resolv.conf of a container: written into its folder, mounted over the image's. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { containerResolvConf, type DnsPlan, hostsFile, requestedResolvConf } from '../network/dns.ts';
import { aptSetting, aptTarget } from './apt.ts';
import type { OwnMount } from './mounts.ts';
import type { ContainerOptions } from './options.ts';

/** With `apt` also the setting that a container with one id needs. */
export function writeFiles(
  folder: string,
  hostname: string,
  options: ContainerOptions,
  dns: DnsPlan | undefined,
  apt: boolean,
): OwnMount[] {
  const full = options.domainname === undefined ? hostname : `${hostname}.${options.domainname}`;
  const files = [
    { name: 'hostname', target: '/etc/hostname', text: `${hostname}\n` },
    ...(options.noHosts ? [] : [{ name: 'hosts', target: '/etc/hosts', text: hostsFile(full, options.addHosts, dns) }]),
    { name: 'resolv.conf', target: '/etc/resolv.conf', text: asked(options, resolvConf(options, dns), dns) },
    ...(apt ? [{ name: 'apt.conf', target: aptTarget, text: aptSetting }] : []),
  ];
  return files.map(({ name, target, text }) => {
    const source = join(folder, name);
    writeFileSync(source, text, { mode: 0o644 });
    return { source, target };
  });
}

/** On networks that answer names, the servers that were asked for are asked by them. */
function asked({ dns: request }: ContainerOptions, text: string, dns: DnsPlan | undefined): string {
  if (request === undefined) return text;
  return requestedResolvConf(text, dns?.servers?.length ? { ...request, servers: [] } : request);
}

/** What another container has, whose network this one shares. */
export function sharedFiles(folder: string): OwnMount[] {
  return ['hostname', 'hosts', 'resolv.conf']
    .map((name) => ({ source: join(folder, name), target: `/etc/${name}` }))
    .filter(({ source }) => existsSync(source));
}

/** The host's own. */
export function readResolvConf(): string {
  try {
    return readFileSync('/etc/resolv.conf', 'utf8');
  } catch {
    return '';
  }
}

/** No network: nobody to ask. The host's network: its own file as it is. */
function resolvConf(options: ContainerOptions, dns: DnsPlan | undefined): string {
  if (options.network === 'none') return '';
  const host = readResolvConf();
  if (options.network === 'host' || options.network === 'namespace') return host;
  return containerResolvConf(host, dns);
}
