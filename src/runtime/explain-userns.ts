/** Why a user namespace was refused: each of the known switches, in the order in which they can be told apart. Pure. */

import type { ErrorFacts } from '../errors.ts';
import type { HelperFailure } from '../helper.ts';
import type { ExplainFacts } from './explain.ts';

type Known = Pick<ExplainFacts, 'switches' | 'underSeccomp' | 'helper'>;

export function explainUserns(failure: HelperFailure, facts: Known): ErrorFacts {
  return {
    code: 'USERNS_UNAVAILABLE',
    message: `cannot make a user namespace: ${failure.errno ?? failure.message ?? 'refused'}`,
    ...words(findCause(failure, facts)),
  };
}

/** `commands` are for a shell of root; `advice` is for whoever has another machine around this one. */
export type UsernsCause = { readonly why?: string; readonly commands?: readonly string[]; readonly advice?: string };

function words({ why, commands, advice }: UsernsCause): { why?: string; fix?: string } {
  const fix = commands ? commands.map((command) => `sudo sh -c "${command.replaceAll('"', '\\"')}"`).join(' && ') : advice;
  return { ...(why ? { why } : {}), ...(fix ? { fix } : {}) };
}

export function findCause({ errno, step }: HelperFailure, { switches, underSeccomp, helper }: Known): UsernsCause {
  if (switches.unprivilegedClone === '0') return bySysctl('kernel.unprivileged_userns_clone', 'is 0', '1');
  if (switches.maxUserNamespaces === '0') return bySysctl('user.max_user_namespaces', 'is 0', '15000');
  if (errno === 'ENOSPC') {
    return {
      why: `this user has reached user.max_user_namespaces (${switches.maxUserNamespaces ?? 'unknown'}), or namespaces are nested too deep`,
    };
  }
  if (switches.apparmorRestrict === '1') {
    return {
      why: 'AppArmor allows user namespaces only to programs with a profile (kernel.apparmor_restrict_unprivileged_userns is 1)',
      commands: apparmorProfile(helper),
    };
  }
  if (errno === 'EACCES' && step === 'clone') return byModule(switches.securityModules ?? '', helper);
  if (underSeccomp && (errno === 'EPERM' || errno === 'ENOSYS')) {
    return {
      why: 'a seccomp filter is active around this process: most containers forbid new namespaces',
      advice:
        'allow it in the container around: docker, podman or rootless run --security-opt seccomp=unconfined; in Kubernetes seccompProfile.type: Unconfined',
    };
  }
  return errno === 'EPERM' ? { why: 'the kernel refused it; in a chroot no user namespace can be made' } : {};
}

/** Only a security module answers a clone with EACCES. */
function byModule(modules: string, helper: string): UsernsCause {
  if (modules.includes('apparmor')) {
    return { why: 'AppArmor refuses it: a profile without "userns," holds for the helper', commands: apparmorProfile(helper) };
  }
  return {
    why: `a security module of the kernel refuses it${modules === '' ? '' : ` (${modules})`}`,
    advice: 'look for "denied" in the kernel log (dmesg)',
  };
}

/** For now, and for the next boot. */
function bySysctl(name: string, fault: string, value: string): UsernsCause {
  return {
    why: `${name} ${fault}`,
    commands: [`sysctl -w ${name}=${value}`, `echo ${name}=${value} > /etc/sysctl.d/90-rootless.conf`],
  };
}

/** A profile that only names the helper and its other half: everything else stays restricted. */
export function apparmorProfile(helper: string): readonly string[] {
  const lines = [
    'abi <abi/4.0>,',
    'include <tunables/global>',
    `profile rootless-helper ${helper}{,-layers} flags=(unconfined) {`,
    '  userns,',
    '}',
  ];
  const file = '/etc/apparmor.d/rootless-helper';
  return [`printf '%s\\n' ${lines.map((line) => `'${line}'`).join(' ')} > ${file}`, `apparmor_parser -r ${file}`];
}
