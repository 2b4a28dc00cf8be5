/** Work on files of containers that failed because ids could not be mapped at all: said as `run` says it, with what forbids it. */

import type { RootlessError } from '../errors.ts';
import type { HelperFailure } from '../helper.ts';
import { findPaths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { explain } from '../runtime/explain.ts';
import { gatherFacts } from '../runtime/explain-facts.ts';
import { readHost } from '../userns/host.ts';

/** The error itself where its cause is another. */
export function withReason(error: RootlessError, env: NodeJS.ProcessEnv): RootlessError {
  const cause = error.cause as Partial<HelperFailure> | undefined;
  if (cause?.step !== 'clone' && cause?.step !== 'map-ids') return error;
  return explain({ event: 'error', ...cause, step: cause.step } as HelperFailure, gatherFacts(findPaths(env), readHost(searchPath(env))));
}
