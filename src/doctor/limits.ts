/** Limits of the kernel that many containers reach together, long before memory runs out. */

import { type Check, type Finding, off, ok } from './finding.ts';
import type { Machine } from './machine.ts';

export const limitChecks: readonly Check[] = [
  { id: 'inotify', section: 'limits', title: 'inotify', look: inotify },
  { id: 'keyring', section: 'limits', title: 'keys', look: keyring },
  { id: 'files', section: 'limits', title: 'open files', look: (machine) => rlimit(machine, 'Max open files', 1024, 'nofile') },
  { id: 'processes', section: 'limits', title: 'processes', look: (machine) => rlimit(machine, 'Max processes', 1024, 'nproc') },
];

/** They are counted per user of the host, and each container's ids count to its owner. */
function inotify({ read, watch, paths }: Machine): Finding {
  const value = (name: string) => Number(read(`/proc/sys/fs/inotify/${name}`).trim() || Number.NaN);
  const [instances, watches] = [value('max_user_instances'), value('max_user_watches')];
  if (Number.isNaN(instances) || Number.isNaN(watches)) return off('this kernel does not say');
  const code = watch(paths.data);
  const used = code === 'EMFILE' || code === 'ENOSPC';
  if (instances >= 128 && watches >= 16_384 && !used) return ok(`${instances} instances, ${watches} watches`);
  const settings = 'fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288';
  return {
    status: 'warn',
    message: used
      ? `all of your ${code === 'EMFILE' ? `${instances} instances` : `${watches} watches`} are used (${code})`
      : `${instances} instances and ${watches} watches: file watchers in containers fail with ENOSPC or EMFILE`,
    fix: [`sysctl -w ${settings}`, `printf "%s\\n" ${settings} > /etc/sysctl.d/93-rootless-inotify.conf`],
  };
}

/** Line of /proc/key-users: `UID: usage nkeys/nikeys qnkeys/maxkeys qnbytes/maxbytes`. */
async function keyring({ read, host, probe }: Machine): Promise<Finding> {
  const line = read('/proc/key-users')
    .split('\n')
    .find((text) => text.trim().startsWith(`${host.uid}:`));
  const [, used, most] = /(\d+)\/(\d+)\s+\d+\/\d+\s*$/.exec(line ?? '') ?? [];
  const tried = await probe('keyring');
  const full = tried.errno === 'EDQUOT';
  if ((used === undefined || most === undefined) && !full) return off('you have none yet');
  if (Number(used) < Number(most) * 0.8 && !full) return ok(`${used} of ${most} used`);
  return {
    status: 'warn',
    message: `${used ?? 'all'} of ${most ?? 'your'} keys are used: ${full ? 'a new one was refused (EDQUOT)' : 'programs that need one fail with EDQUOT'}`,
    fix: [
      'sysctl -w kernel.keys.maxkeys=2000 kernel.keys.maxbytes=200000',
      'printf "%s\\n" kernel.keys.maxkeys=2000 kernel.keys.maxbytes=200000 > /etc/sysctl.d/94-rootless-keys.conf',
    ],
  };
}

/** `NAME  SOFT  HARD  UNITS` of /proc/self/limits: only the hard one is a wall. */
function rlimit({ read, host }: Machine, name: string, least: number, item: string): Finding {
  const line = read('/proc/self/limits')
    .split('\n')
    .find((text) => text.startsWith(name));
  const hard = line?.slice(name.length).trim().split(/\s+/)[1];
  if (hard === undefined) return off('this kernel does not say');
  if (hard === 'unlimited' || Number(hard) >= least) return ok(`up to ${hard}`);
  return {
    status: 'warn',
    message: `up to ${hard} for everything of yours together`,
    fix: [`echo "${host.name} - ${item} 65536" > /etc/security/limits.d/rootless-${item}.conf`],
    advice: 'it holds from the next login on',
  };
}
