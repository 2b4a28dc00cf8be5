/** What a container's network needs of this machine. */

import { loopbackOnly } from '../network/dns.ts';
import { type Check, type Finding, off, ok } from './finding.ts';
import type { Machine } from './machine.ts';

export const networkChecks: readonly Check[] = [
  { id: 'tun', section: 'network', title: '/dev/net/tun', look: tun },
  { id: 'pasta', section: 'network', title: 'pasta, tried', look: pasta },
  { id: 'slirp4netns', section: 'network', title: 'slirp4netns', look: slirp },
  { id: 'bridges', section: 'network', title: 'networks of yours, tried', look: bridges },
  { id: 'ports', section: 'network', title: 'ports', look: ports },
  { id: 'ping', section: 'network', title: 'ping', look: ping },
  { id: 'dns', section: 'network', title: 'names', look: dns },
  { id: 'proxy', section: 'network', title: 'proxy', look: proxy },
];

const install = (names: string): string[] => [
  names
    .split(' ')
    .map((name, at) => `${['apt-get install -y', 'dnf install -y', 'apk add', 'pacman -S --noconfirm'][at] ?? ''} ${name}`)
    .join(' || '),
];

function tun({ open }: Machine): Finding {
  const code = open('/dev/net/tun', 'write');
  if (code === undefined) return ok('can be opened');
  const missing = code === 'ENOENT' || code === 'ENODEV';
  return {
    status: 'bad',
    message: `no private networks: /dev/net/tun ${missing ? 'is missing' : `cannot be opened (${code})`}`,
    why: 'pasta and slirp4netns connect containers through a tap device',
    fix: missing ? ['modprobe tun', 'echo tun > /etc/modules-load.d/rootless.conf'] : ['chmod 666 /dev/net/tun'],
    ...(missing ? { advice: 'inside docker or podman: --device /dev/net/tun' } : {}),
  };
}

/** Around /bin/true in a namespace of its own: AppArmor and seccomp stop it, if at all, only when it works. */
function pasta({ find, run, open, host }: Machine): Finding {
  const program = find('pasta');
  if (program === undefined) {
    return {
      status: find('slirp4netns') ? 'warn' : 'bad',
      message: 'pasta is not installed',
      why: 'it carries the traffic of private networks, and publishes ports',
      fix: install('passt passt passt passt'),
    };
  }
  if (open('/dev/net/tun', 'write') !== undefined) return off('/dev/net/tun cannot be opened');
  const asRoot = host.uid === 0 ? ['--runas', '0'] : [];
  const { status, stderr } = run(program, [...asRoot, '--quiet', '--config-net', '--', 'true']);
  if (status === 0) return ok(program);
  const said = stderr.trim().split('\n').at(-1) || `it ended with ${status}`;
  return {
    status: 'bad',
    message: `pasta does not work: ${said}`,
    advice: 'look for "apparmor" and "pasta" in the kernel log (dmesg), and for a newer passt',
  };
}

function slirp({ find }: Machine): Finding {
  const program = find('slirp4netns');
  if (program !== undefined) return ok(find('pasta') ? `${program}; pasta is used` : program);
  return find('pasta')
    ? off('not needed: pasta is there')
    : { status: 'warn', message: 'not installed either', fix: install('slirp4netns slirp4netns slirp4netns slirp4netns') };
}

/** A bridge and a pair of interfaces in a namespace of its own: the kernel may have been built, or booted, without them. */
function bridges({ find, run, host }: Machine): Finding {
  const [unshare, ip] = [find('unshare'), find('ip')];
  if (unshare === undefined || ip === undefined) return off('not tried: "unshare" and "ip" are needed for it');
  const script = '"$0" link add rl0 type bridge && "$0" link add rl1 type veth peer name rl2';
  const { status, stderr } = run(unshare, [host.uid === 0 ? '-n' : '-rn', 'sh', '-c', script, ip]);
  if (status === 0) return ok('bridges and pairs of interfaces can be made');
  const said = stderr.trim().split('\n').at(-1) || `it ended with ${status}`;
  const missing = /unknown device type|not supported/i.test(said);
  return {
    status: 'warn',
    message: `"rootless network create" is of no use: ${said}`,
    why: missing ? 'the kernel modules bridge and veth are not there' : 'a network of yours is a bridge in a namespace of yours',
    ...(missing ? { fix: ['modprobe -a bridge veth', 'printf "bridge\\nveth\\n" > /etc/modules-load.d/rootless-networks.conf'] } : {}),
  };
}

function ports({ read }: Machine): Finding {
  const first = Number(read('/proc/sys/net/ipv4/ip_unprivileged_port_start').trim() || 1024);
  if (first <= 80) return ok(`can be published from ${first} on`);
  const fix = [
    'sysctl -w net.ipv4.ip_unprivileged_port_start=80',
    'echo net.ipv4.ip_unprivileged_port_start=80 > /etc/sysctl.d/91-rootless-ports.conf',
  ];
  return { status: 'ok', message: `can be published from ${first} on; inside containers every port is free`, fix };
}

/** pasta sends what a container's ping sends, as this user. */
function ping({ read, host }: Machine): Finding {
  const [low = 1, high = 0] = read('/proc/sys/net/ipv4/ping_group_range').trim().split(/\s+/).map(Number);
  if (host.uid === 0 || (host.gid >= low && host.gid <= high)) return ok('reaches the world');
  return {
    status: 'warn',
    message: 'ping from containers does not reach the world',
    why: `your group ${host.gid} is not in net.ipv4.ping_group_range (${low} ${high})`,
    fix: [
      "sysctl -w net.ipv4.ping_group_range='0 2147483647'",
      "echo 'net.ipv4.ping_group_range=0 2147483647' > /etc/sysctl.d/92-rootless-ping.conf",
    ],
  };
}

function dns({ read, exists }: Machine): Finding {
  const text = read('/etc/resolv.conf');
  const servers = text.split('\n').flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? []);
  if (servers.length === 0) {
    return { status: 'warn', message: '/etc/resolv.conf names no resolver: names are not resolved, in containers neither' };
  }
  if (!loopbackOnly(servers)) return ok(servers.join(', '));
  const behind = exists('/run/systemd/resolve/resolv.conf') ? ' (systemd-resolved)' : '';
  return ok(`${servers.join(', ')}${behind} is on loopback: private networks ask it through their forwarder`);
}

function proxy({ paths, env }: Machine): Finding {
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
  }
  if (env['HTTP_PROXY'] && env['http_proxy'] && env['HTTP_PROXY'] !== env['http_proxy']) {
    return { status: 'warn', message: 'HTTP_PROXY and http_proxy differ: the lower-case one is used' };
  }
  return ok(all.length === 0 ? 'none' : [...new Set(all.map(hidePassword))].join(', '));
}

const hidePassword = (url: string): string => url.replace(/\/\/[^@/]*@/, '//***@');
