/** Why a user namespace was refused: each of the known switches, in the order in which they can be told apart. Pure. */

import type { ErrorFacts } from '../errors.ts';
import type { HelperFailure } from '../helper.ts';
import type { ExplainFacts } from './explain.ts';

type Known = Pick<ExplainFacts, 'switches' | 'underSeccomp' | 'helper'>;

export function explainUserns(failure: HelperFailure, facts: Known): ErrorFacts {
  return {
    code: 'USERNS_UNAVAILABLE',
    message: `cannot make a user namespace: ${failure.errno ?? failure.message ?? 'refused'}`,
    ...findCause(failure, facts),
  };
}

function findCause({ errno }: HelperFailure, { switches, underSeccomp, helper }: Known): { why?: string; fix?: string } {
  if (switches.unprivilegedClone === '0') {
    return { why: 'kernel.unprivileged_userns_clone is 0', fix: 'sudo sysctl -w kernel.unprivileged_userns_clone=1' };
  }
  if (switches.maxUserNamespaces === '0') {
    return { why: 'user.max_user_namespaces is 0', fix: 'sudo sysctl -w user.max_user_namespaces=15000' };
  }
  if (errno === 'ENOSPC') {
    return {
      why: `this user has reached user.max_user_namespaces (${switches.maxUserNamespaces ?? 'unknown'}), or namespaces are nested too deep`,
    };
  }
  if (switches.apparmorRestrict === '1') {
    return {
      why: 'AppArmor allows user namespaces only to programs with a profile (kernel.apparmor_restrict_unprivileged_userns is 1)',
      fix:
        `printf 'abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile rootless-helper ${helper} flags=(unconfined) {\\n  userns,\\n}\\n' | ` +
        'sudo tee /etc/apparmor.d/rootless-helper && sudo apparmor_parser -r /etc/apparmor.d/rootless-helper',
    };
  }
  if (underSeccomp && (errno === 'EPERM' || errno === 'ENOSYS')) {
    return {
      why: 'a seccomp filter is active around this process: most containers forbid new namespaces',
      fix: 'allow it in the outer container: docker run --security-opt seccomp=unconfined --security-opt systempaths=unconfined',
    };
  }
  return errno === 'EPERM' ? { why: 'the kernel refused it; in a chroot no user namespace can be made' } : {};
}
