/** What a container's network needs of this machine. */

import { type Check, type Finding, off, ok } from './finding.ts';
import type { Machine } from './machine.ts';
import { outsideChecks } from './outside.ts';
import { install } from './packages.ts';

export const networkChecks: readonly Check[] = [
  { id: 'tun', section: 'network', title: '/dev/net/tun', look: tun },
  { id: 'pasta', section: 'network', title: 'pasta, tried', look: pasta },
  { id: 'slirp4netns', section: 'network', title: 'slirp4netns, tried', look: slirp },
  { id: 'bridges', section: 'network', title: 'networks of yours, tried', look: bridges },
  ...outsideChecks,
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
      fix: [install({ find }, 'passt')],
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

/** Used where pasta is not there. */
async function slirp({ find, open, slirp: serve }: Machine): Promise<Finding> {
  const [program, unshare] = [find('slirp4netns'), find('unshare')];
  const pasta = find('pasta') !== undefined;
  if (program === undefined && pasta) return off('not needed: pasta is there');
  if (program === undefined) {
    return { status: 'warn', message: 'not installed either', fix: [install({ find }, 'slirp4netns')] };
  }
  if (open('/dev/net/tun', 'write') !== undefined) return off('/dev/net/tun cannot be opened');
  if (unshare === undefined) return off('not tried: "unshare" is needed for it');
  const said = await serve(unshare, program);
  if (said === undefined) return ok(pasta ? `${program}; pasta is used` : program);
  return {
    status: pasta ? 'warn' : 'bad',
    message: `slirp4netns does not work: ${said}`,
    advice: `look for "slirp4netns" in the kernel log (dmesg)${pasta ? '; pasta is used' : ', or install passt'}`,
  };
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
