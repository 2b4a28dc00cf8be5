/** User namespaces, and what around this process may forbid them. */

import { apparmorProfile, findCause } from '../runtime/explain-userns.ts';
import { readUsernsSwitches } from '../userns/host.ts';
import { containerAround } from '../userns/inside.ts';
import { count } from '../userns/ranges.ts';
import { type Check, type Finding, off, ok } from './finding.ts';
import { procOptions } from './ids.ts';
import type { Machine } from './machine.ts';

export const namespaceChecks: readonly Check[] = [
  { id: 'userns', section: 'surroundings', title: 'user namespaces, tried', look: userns },
  { id: 'userns-sysctls', section: 'surroundings', title: 'their switches', look: switches },
  { id: 'apparmor', section: 'surroundings', title: 'AppArmor', look: apparmor },
  { id: 'nesting', section: 'surroundings', title: 'one in another, tried', look: nesting },
  { id: 'proc', section: 'surroundings', title: 'a /proc for containers, tried', look: proc },
  { id: 'hidepid', section: 'surroundings', title: 'hidepid', look: hidepid },
];

/** A container is one namespace, a network of yours two more; engines beside us need some too. */
const fewNamespaces = 64;

function ownIds({ uid, gid }: Machine['host']) {
  const one = (id: number) => [{ containerID: 0, hostID: id, size: 1 }];
  return { uid: one(uid), gid: one(gid) };
}

/** One id needs no program: what fails here is the namespace itself. */
async function userns(machine: Machine): Promise<Finding> {
  const { host, probe, read, paths } = machine;
  const result = await probe('userns', ownIds(host));
  if (result.ok) return ok('a user namespace was made');
  const underSeccomp = /^Seccomp:\s*2/m.test(read('/proc/self/status'));
  const failure = { event: 'error', step: result.step ?? 'clone', ...(result.errno ? { errno: result.errno } : {}) } as const;
  const cause = findCause(failure, { switches: readUsernsSwitches(), underSeccomp, helper: paths.helper });
  return {
    status: 'bad',
    message: `no user namespace can be made: ${result.errno ?? result.message ?? 'refused'}`,
    ...(cause.why ? { why: cause.why } : {}),
    ...(cause.commands ? { fix: cause.commands } : {}),
    ...(cause.advice ? { advice: cause.advice } : {}),
  };
}

/** Since Ubuntu 23.10 a namespace can be made, and then has no capability: the mount below /proc tells. */
async function apparmor({ read, probe, paths }: Machine): Promise<Finding> {
  if (read('/proc/sys/kernel/apparmor_restrict_unprivileged_userns').trim() !== '1') {
    const profile = read('/proc/self/attr/current').trim();
    return ok(profile === '' || profile === 'unconfined' ? 'not in the way' : `profile ${profile}`);
  }
  const result = await probe('tmpfs-overlay');
  if (result.step === 'clone' || result.step === 'map-ids') return off('no user namespace could be made');
  // Another error is what a kernel says that was about to do it.
  if (result.errno !== 'EACCES' && result.errno !== 'EPERM')
    return ok('restricts user namespaces, and the helper has a profile that allows them');
  return {
    status: 'bad',
    message: 'user namespaces are without capabilities',
    why: 'kernel.apparmor_restrict_unprivileged_userns is 1, and no profile allows them to the helper',
    fix: apparmorProfile(paths.helper),
  };
}

/** Only root can change them: of all kernels and distributions, those that are there. */
function switches({ read }: Machine): Finding {
  const all = [
    ['kernel.unprivileged_userns_clone', '1', (value: number) => value !== 0],
    ['user.max_user_namespaces', '15000', (value: number) => value >= fewNamespaces],
  ] as const;
  const found = all.map(([name, wanted, fine]) => ({ name, wanted, fine, text: read(`/proc/sys/${name.replaceAll('.', '/')}`).trim() }));
  const there = found.filter(({ text }) => text !== '');
  const wrong = there.filter(({ text, fine }) => !fine(Number(text)));
  const list = (some: typeof there) => some.map(({ name, text }) => `${name} is ${text}`).join(', ');
  if (wrong.length === 0) return there.length === 0 ? off('this kernel has none') : ok(list(there));
  const none = wrong.some(({ text }) => text === '0');
  return {
    status: none ? 'bad' : 'warn',
    message: none ? 'user namespaces are switched off' : 'a few containers use up all user namespaces that you may have',
    why: list(wrong),
    fix: wrong.flatMap(({ name, wanted }) => [`sysctl -w ${name}=${wanted}`, `echo ${name}=${wanted} >> /etc/sysctl.d/90-rootless.conf`]),
  };
}

/** In another container: which one, and whether a namespace can be made below another (`user_namespaces(7)` has a limit of 32). */
async function nesting({ read, exists, host, env, probe }: Machine): Promise<Finding> {
  const inside = containerAround({ exists, read, env, outer: host.outer.uid });
  const ids = count(host.outer.uid);
  const where =
    inside === undefined
      ? 'no container around'
      : `inside ${inside}${ids > 0 && ids < 0xffff_ffff ? `, with ${ids} ${ids === 1 ? 'id' : 'ids'}` : ''}`;
  const { ok: works, errno, message, step, target } = await probe('nested', ownIds(host));
  if (works) return ok(`${where}; a namespace below another was made`);
  if (target !== 'nested') return off(`${where}; no user namespace could be made`);
  return {
    status: 'warn',
    message: `${where}; below a user namespace there can be no other: ${errno ?? message ?? 'refused'}`,
    why:
      errno === 'ENOSPC' || errno === 'EUSERS'
        ? 'user.max_user_namespaces is used up, or namespaces are nested 32 deep'
        : `the kernel refused it (${step ?? 'clone'}): networks of yours, and rootless in containers, need one`,
    advice: 'run it in fewer containers inside of each other, or with a larger user.max_user_namespaces',
  };
}

async function proc({ probe, read }: Machine): Promise<Finding> {
  const result = await probe('proc');
  if (result.ok) return ok('a new one can be mounted');
  if (result.step !== 'mount') return { status: 'bad', message: 'not tried: no namespace could be made for it' };
  const masked = read('/proc/self/mountinfo')
    .split('\n')
    .filter((line) => /^\/proc\/./.test(line.split(' ')[4] ?? '')).length;
  return {
    status: 'warn',
    message: 'containers see the /proc that is here, not one of their own',
    ...(masked > 0
      ? { why: `${masked} mounts cover parts of the /proc here, and the kernel mounts a new one only where an uncovered one is seen` }
      : { why: `the kernel refused a new one: ${result.errno ?? 'no reason given'}` }),
    advice:
      'docker run --security-opt systempaths=unconfined; podman run --security-opt unmask=ALL; in Kubernetes procMount: Unmasked with hostUsers: false',
  };
}

function hidepid({ read }: Machine): Finding {
  const option = procOptions(read('/proc/self/mountinfo')).find((text) => /^hidepid=(?!0$|off$)/.test(text));
  if (option === undefined) return ok('off');
  return {
    status: 'warn',
    message: `/proc is mounted with ${option}`,
    why: 'newuidmap may not see the process whose ids it is to map, and top and stats see only what is yours',
    fix: ['mount -o remount,hidepid=0 /proc'],
  };
}
