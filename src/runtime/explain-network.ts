/** Failures of a container's network: of what serves it, of a namespace that is joined, of bridges. */

import { errnoWords } from '../errno.ts';
import type { ErrorFacts } from '../errors.ts';
import type { HelperFailure } from '../helper.ts';
import { describe, reason } from './explain.ts';

export function explainNetwork(failure: HelperFailure): ErrorFacts {
  if (failure.step === 'companion') return explainServer(failure);
  return failure.target?.startsWith('/') ? explainJoin(failure) : explainMember(failure);
}

function explainServer(failure: HelperFailure): ErrorFacts {
  return {
    code: 'NETWORK_FAILED',
    message: `cannot make a private network: ${failure.message ?? reason(failure)}`,
    why: `"${failure.target}" ended before the network was up`,
    // Said by pasta where no interface has a default route.
    fix: failure.message?.includes('xternal interface') ? 'this machine has no way out: --network none needs none' : undefined,
  };
}

/** `--network ns:PATH`. */
function explainJoin(failure: HelperFailure): ErrorFacts {
  const refused = failure.errno === 'EPERM' || failure.errno === 'EACCES';
  return {
    code: 'NETWORK_FAILED',
    message: `cannot join the network namespace "${failure.target}": ${failure.errno ? errnoWords(failure.errno) : 'it does not fit'}`,
    why: failure.message,
    fix: refused
      ? 'the kernel lets users into network namespaces alone that belong to user namespaces of theirs: --network container:NAME, or one made by: rootless unshare unshare -n'
      : failure.message?.includes('other ids')
        ? 'make it in a user namespace with the same ids: rootless unshare unshare -n sleep infinity'
        : undefined,
  };
}

function explainMember(failure: HelperFailure): ErrorFacts {
  return { code: 'NETWORK_FAILED', message: `cannot connect the container with its networks: ${describe(failure)}` };
}
