/** Limits: whether there is a cgroup v2 tree, and what of it this user was given. */

import { isUnified, ownCgroup } from '../cgroup/tree.ts';
import { type Check, type Finding, off, ok } from './finding.ts';
import type { Machine } from './machine.ts';

export const cgroupChecks: readonly Check[] = [
  { id: 'cgroup2', section: 'cgroups', title: 'cgroup v2', look: unified },
  { id: 'delegation', section: 'cgroups', title: 'delegation', look: delegation },
];

/** What limits of containers are made of; docker's flags need these. */
const wanted = ['cpu', 'cpuset', 'io', 'memory', 'pids'] as const;

const kernelOption = 'systemd.unified_cgroup_hierarchy=1';

function unified({ read, exists }: Machine): Finding {
  const own = ownCgroup(read('/proc/self/cgroup'));
  if (own !== undefined && isUnified(read('/proc/self/mountinfo'))) return ok('is the only hierarchy');
  const version = own === undefined ? 'this machine has cgroup v1' : 'this machine has both versions (hybrid)';
  const grub = exists('/etc/default/grub');
  return {
    status: 'warn',
    message: `${version}: no limits (--memory, --cpus, --pids-limit), no pause by cgroup`,
    why: 'only v2 can be given to users',
    ...(grub
      ? {
          fix: [
            `sed -i 's/^GRUB_CMDLINE_LINUX="/&${kernelOption} /' /etc/default/grub`,
            'update-grub || grub2-mkconfig -o /boot/grub2/grub.cfg',
          ],
        }
      : {}),
    advice: `boot ${grub ? 'anew then' : `the machine with ${kernelOption}`}`,
  };
}

/** Each controller of the user's systemd, or of the group that this process is in. */
function delegation({ read, host, open }: Machine): Finding {
  const own = ownCgroup(read('/proc/self/cgroup'));
  if (own === undefined || !isUnified(read('/proc/self/mountinfo'))) return off('there is no v2 tree');
  const manager = `/sys/fs/cgroup/user.slice/user-${host.uid}.slice/user@${host.uid}.service`;
  const mine = open(`/sys/fs/cgroup${own}/cgroup.procs`, 'write') === undefined;
  const from = mine ? `/sys/fs/cgroup${own}` : manager;
  const given = read(`${from}/cgroup.controllers`).trim().split(/\s+/).filter(Boolean);
  if (!mine && given.length === 0) {
    return {
      status: 'warn',
      message: 'no group of the tree is yours: no limits',
      why:
        host.uid === 0
          ? `${own} cannot be written`
          : `your own group ${own} belongs to somebody else, and user@${host.uid}.service does not run`,
      fix: [`loginctl enable-linger ${host.name}`, `systemctl start user@${host.uid}.service`],
    };
  }
  const missing = wanted.filter((controller) => !given.includes(controller));
  if (missing.length === 0) return ok(given.join(' '));
  return {
    status: missing.includes('memory') || missing.includes('pids') ? 'bad' : 'warn',
    message: `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not delegated (${given.join(' ') || 'nothing'} ${given.length === 1 ? 'is' : 'are'})`,
    why: `${from}/cgroup.controllers`,
    fix: [
      'mkdir -p /etc/systemd/system/user@.service.d',
      'printf "[Service]\\nDelegate=cpu cpuset io memory pids\\n" > /etc/systemd/system/user@.service.d/delegate.conf',
      'systemctl daemon-reload',
      `systemctl restart user@${host.uid}.service`,
    ],
  };
}
