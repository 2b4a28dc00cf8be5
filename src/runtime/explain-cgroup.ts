/** Words for a cgroup that could not be made, or that the kernel did not give its limits. */

import { basename } from 'node:path';
import { noManager, notDelegated } from '../cgroup/refusals.ts';
import { controllersOf } from '../cgroup/tree.ts';
import { errnoWords } from '../errno.ts';
import type { ErrorFacts, RootlessError } from '../errors.ts';
import type { HelperFailure } from '../helper.ts';

export function explainCgroup(failure: HelperFailure): ErrorFacts {
  const { target = '', message = '', errno } = failure;
  const missing = /^not delegated: (.+)$/.exec(message)?.[1];
  if (missing !== undefined) return factsOf(notDelegated(missing.split(' '), controllersOf('/')));
  if (message.startsWith('no systemd answers')) return factsOf(noManager(message));
  const file = basename(target);
  if (errno !== undefined && message === '' && file.includes('.')) {
    return {
      code: 'CGROUP_FAILED',
      message: `cannot limit the container: the kernel refuses "${file}": ${errnoWords(errno)}`,
      why: errno === 'EINVAL' || errno === 'ERANGE' || errno === 'ENODEV' ? 'the value is none that this machine can have' : undefined,
    };
  }
  const said = [message, ...(errno === undefined ? [] : [errnoWords(errno)])].filter(Boolean).join(': ');
  return { code: 'CGROUP_FAILED', message: `cannot give the container its cgroup: ${said || target}`, why: said ? target : undefined };
}

function factsOf({ code, message, why, fix }: RootlessError): ErrorFacts {
  return { code, message, why, fix };
}
