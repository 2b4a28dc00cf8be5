/** Why one more program could not run in a container, in words. */

import { RootlessError } from '../errors.ts';
import type { HelperFailure } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { readHost } from '../userns/host.ts';
import { explain, reason } from './explain.ts';
import { gatherFacts } from './explain-facts.ts';
import type { Listed } from './state.ts';

/** docker: 127 not found, 126 whatever else the program or its user, folder and ids are to blame for. */
export function explainExecution(failure: HelperFailure, paths: Paths, container: Listed, command: string): RootlessError {
  if (!['exec', 'cwd', 'user'].includes(failure.step)) {
    const what = [failure.step, failure.target && `"${failure.target}"`].filter(Boolean).join(' ');
    return new RootlessError({
      code: 'EXEC_FAILED',
      message: `cannot run "${command}" in container "${container.name}": ${what}: ${reason(failure)}`,
      exit: failure.step === 'session' ? 125 : 126,
      cause: failure,
    });
  }
  const facts = { ...gatherFacts(paths, readHost([])), image: container.image, command };
  const error = explain(failure, facts);
  return error.exit === 125 ? new RootlessError({ ...factsOf(error), exit: 126, cause: failure }) : error;
}

function factsOf({ code, message, why, fix }: RootlessError) {
  return { code, message, why, fix };
}
