/** /etc/hostname, /etc/hosts and /etc/resolv.conf of a container: written into its folder, mounted over the image's. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { containerResolvConf, type DnsPlan, hostsFile } from '../network/dns.ts';
import type { OwnMount } from './mounts.ts';
import type { ContainerOptions } from './options.ts';

export function writeFiles(folder: string, hostname: string, options: ContainerOptions, dns: DnsPlan | undefined): OwnMount[] {
  const files: Record<string, string> = {
    hostname: `${hostname}\n`,
    hosts: hostsFile(hostname, options.addHosts, dns),
    'resolv.conf': resolvConf(options, dns),
  };
  return Object.entries(files).map(([name, text]) => {
    const source = join(folder, name);
    writeFileSync(source, text, { mode: 0o644 });
    return { source, target: `/etc/${name}` };
  });
}

/** No network: nobody to ask. The host's network: its own file as it is. */
function resolvConf(options: ContainerOptions, dns: DnsPlan | undefined): string {
  if (options.network === 'none') return '';
  const host = readFirst(['/etc/resolv.conf']);
  if (options.network === 'host') return host;
  return containerResolvConf(host, dns);
}

function readFirst(paths: readonly string[]): string {
  for (const path of paths) {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      // The next one.
    }
  }
  return '';
}
