/** /etc/hostname, /etc/hosts and /etc/resolv.conf of a container: written into its folder, mounted over the image's. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { containerResolvConf, type DnsPlan, hostsFile, requestedResolvConf } from '../network/dns.ts';
import type { OwnMount } from './mounts.ts';
import type { ContainerOptions } from './options.ts';

export function writeFiles(folder: string, hostname: string, options: ContainerOptions, dns: DnsPlan | undefined): OwnMount[] {
  const files = [
    { name: 'hostname', target: '/etc/hostname', text: `${hostname}\n` },
    ...(options.noHosts
      ? []
      : [{ name: 'hosts', target: '/etc/hosts', text: hostsFile(withDomain(options, hostname), options.addHosts, dns) }]),
    ...(options.dns?.servers[0] === 'none' ? [] : [{ name: 'resolv.conf', target: '/etc/resolv.conf', text: resolvText(options, dns) }]),
  ];
  return files.map(({ name, target, text }) => {
    const source = join(folder, name);
    writeFileSync(source, text, { mode: 0o644 });
    return { source, target };
  });
}

/** On networks that answer names, the servers that were asked for are asked by them. */
export function resolvText(options: ContainerOptions, dns: DnsPlan | undefined): string {
  const text = resolvConf(options, dns);
  const { dns: request } = options;
  if (request === undefined) return text;
  return requestedResolvConf(text, dns?.servers?.length ? { ...request, servers: [] } : request);
}

/** Its host name, with its domain where one was given. */
export function fullName(options: ContainerOptions, id: string): string {
  return withDomain(options, options.hostname ?? id.slice(0, 12));
}

function withDomain({ domainname }: ContainerOptions, hostname: string): string {
  return domainname === undefined ? hostname : `${hostname}.${domainname}`;
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
