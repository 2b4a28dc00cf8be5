/** What a container's network may reach, and who may reach it: ports, ping, names, the proxy. */

import { loopbackOnly } from '../network/dns.ts';
import { type Check, type Finding, ok } from './finding.ts';
import type { Machine } from './machine.ts';

export const outsideChecks: readonly Check[] = [
  { id: 'ports', section: 'network', title: 'ports, tried', look: ports },
  { id: 'ping', section: 'network', title: 'ping, tried', look: ping },
  { id: 'dns', section: 'network', title: 'names, asked for', look: dns },
  { id: 'proxy', section: 'network', title: 'proxy, tried', look: proxy },
];

/** One that is in use was allowed all the same. */
async function ports({ read, listen }: Machine): Promise<Finding> {
  const first = Number(read('/proc/sys/net/ipv4/ip_unprivileged_port_start').trim() || 1024);
  if ((await listen(80)) !== 'EACCES') return ok(`can be published from ${Math.min(first, 80)} on`);
  const fix = [
    'sysctl -w net.ipv4.ip_unprivileged_port_start=80',
    'echo net.ipv4.ip_unprivileged_port_start=80 > /etc/sysctl.d/91-rootless-ports.conf',
  ];
  return { status: 'ok', message: `can be published from ${first} on; inside containers every port is free`, fix };
}

/** pasta sends what a container's ping sends, as this user. */
async function ping({ read, host, probe }: Machine): Promise<Finding> {
  const [low = 1, high = 0] = read('/proc/sys/net/ipv4/ping_group_range').trim().split(/\s+/).map(Number);
  const { ok: works, errno, message } = await probe('ping');
  if (host.uid === 0 || works) return ok('reaches the world');
  const outside = host.gid < low || host.gid > high;
  if (!outside) {
    return {
      status: 'warn',
      message: `ping from containers does not reach the world: ${errno ?? message ?? 'refused'}`,
      why: 'found by opening a socket for it; net.ipv4.ping_group_range allows your group',
      advice: 'look for a seccomp filter or a security module around this process',
    };
  }
  return {
    status: 'warn',
    message: 'ping from containers does not reach the world',
    why: `your group ${host.gid} is not in net.ipv4.ping_group_range (${low} ${high})`,
    fix: [
      "sysctl -w net.ipv4.ping_group_range='0 2147483647'",
      'echo "net.ipv4.ping_group_range=0 2147483647" > /etc/sysctl.d/92-rootless-ping.conf',
    ],
  };
}

async function dns({ read, exists, ask }: Machine): Promise<Finding> {
  const text = read('/etc/resolv.conf');
  const servers = text.split('\n').flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? []);
  if (servers.length === 0) {
    return {
      status: 'warn',
      message: '/etc/resolv.conf names no resolver: names are not resolved, in containers neither',
      advice: 'a line "nameserver IP" there, or rootless run --dns IP',
    };
  }
  const codes = await Promise.all(servers.map(ask));
  const silent = servers.filter((_, at) => codes[at] !== undefined);
  if (silent.length > 0) {
    const all = silent.length === servers.length;
    return {
      status: 'warn',
      message: `${silent.join(', ')} ${silent.length === 1 ? 'does' : 'do'} not answer (${codes.find(Boolean)}): ${all ? 'names are not resolved, in containers neither' : 'names are slow'}`,
      why: 'asked by us, as /etc/resolv.conf says; containers ask the same',
      advice: 'another server: rootless run --dns IP; or correct /etc/resolv.conf',
    };
  }
  if (!loopbackOnly(servers)) return ok(`${servers.join(', ')} answer${servers.length === 1 ? 's' : ''}`);
  const behind = exists('/run/systemd/resolve/resolv.conf') ? ' (systemd-resolved)' : '';
  return ok(`${servers.join(', ')}${behind} answers, and is on loopback: private networks ask it through their forwarder`);
}

async function proxy({ paths, env, dial }: Machine): Promise<Finding> {
  const { httpProxy, httpsProxy } = paths.registry;
  const all = [httpProxy, httpsProxy].filter((url): url is string => url !== undefined);
  for (const url of all) {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
      return {
        status: 'bad',
        message: `the proxy "${hidePassword(url)}" is no http:// address`,
        advice: 'correct HTTP_PROXY and HTTPS_PROXY',
      };
    }
    const code = await dial(parsed.hostname.replace(/^\[|\]$/g, ''), Number(parsed.port || (parsed.protocol === 'https:' ? 443 : 80)));
    if (code === undefined) continue;
    return {
      status: 'bad',
      message: `the proxy "${hidePassword(url)}" does not answer: ${code}`,
      why: 'found by connecting to it; what is pulled and pushed goes through it',
      advice: 'correct HTTP_PROXY and HTTPS_PROXY, or name the registry in NO_PROXY',
    };
  }
  if (env['HTTP_PROXY'] && env['http_proxy'] && env['HTTP_PROXY'] !== env['http_proxy']) {
    return { status: 'warn', message: 'HTTP_PROXY and http_proxy differ: the lower-case one is used', advice: 'unset one of them' };
  }
  return ok(all.length === 0 ? 'none' : [...new Set(all.map(hidePassword))].join(', '));
}

const hidePassword = (url: string): string => url.replace(/\/\/[^@/]*@/, '//***@');
