/** Words for a mount that failed, and for files that could not be given to the container's user. Pure. */

import type { ErrorFacts } from '../errors.ts';
import type { HelperFailure } from '../helper.ts';
import type { ExplainFacts } from './explain.ts';
import { reason } from './explain.ts';

export function explainMount(failure: HelperFailure, facts: ExplainFacts): ErrorFacts {
  const { mounts } = facts;
  const mount = failure.index === undefined ? mounts.find((one) => one.destination === failure.target) : mounts[failure.index];
  const source = mount?.type === 'bind' ? mount.source : undefined;
  if (failure.step === 'chown') return explainChown(failure, source);
  if (failure.step === 'mount-source') return explainSource(failure, source, facts);
  const nested = mount?.type === 'proc' && failure.errno === 'EPERM';
  return {
    code: nested ? 'PROC_MASKED' : 'MOUNT_FAILED',
    message: `cannot mount ${source === undefined ? '' : `"${source}" on `}"${failure.target}": ${reason(failure)}`,
    why: nested ? 'the container that rootless runs in hides parts of /proc, so the kernel allows no new one inside it' : mountWhy(failure),
    fix: nested
      ? 'docker run --security-opt systempaths=unconfined, or in Kubernetes procMount: Unmasked with hostUsers: false'
      : undefined,
  };
}

function explainSource(failure: HelperFailure, source: string | undefined, { closed, data }: ExplainFacts): ErrorFacts {
  const path = failure.target ?? source ?? '';
  const missing = failure.errno === 'ENOENT';
  const folder = failure.errno === 'EACCES' ? closed?.[source ?? ''] : undefined;
  return {
    code: missing ? 'MOUNT_SOURCE_MISSING' : 'MOUNT_FAILED',
    message: `cannot mount "${path}": ${reason(failure)}`,
    // What a volume or an image lacks nobody makes there by hand.
    ...(missing && !path.startsWith(`${data}/`) ? { fix: `mkdir -p ${path}` } : folder && explainClosed(folder)),
  };
}

/** Capabilities count only where owner and group are mapped (closed-folder.ts). */
export function explainClosed(folder: string): Pick<ErrorFacts, 'why' | 'fix'> {
  return {
    why: `"${folder}" is closed to others, and its owner or group has no id in this container, so that no capability counts there`,
    fix: `chmod o+x ${folder}, or another --userns`,
  };
}

function explainChown(failure: HelperFailure, source: string | undefined): ErrorFacts {
  const below = failure.target === undefined || failure.target === '/' ? '' : `/${failure.target}`;
  const foreign = failure.errno === 'EPERM' || failure.errno === 'EOVERFLOW' || failure.errno === 'EINVAL';
  return {
    code: 'MOUNT_CHOWN_REFUSED',
    message: `cannot give "${source ?? ''}${below}" to the container's user: ${reason(failure)}`,
    why: foreign ? 'only files of yours, and of ids that are mapped, can be given away' : undefined,
  };
}

function mountWhy({ errno }: HelperFailure): string | undefined {
  if (errno === 'EOVERFLOW') return 'a folder on the way to it belongs to an id that is not mapped here';
  if (errno === 'ENOTDIR') return 'one of the two is a folder and the other is not';
  return undefined;
}
