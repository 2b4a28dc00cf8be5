/** Words for a container whose changes cannot be read. Pure. */

import { RootlessError } from '../errors.ts';
import type { HelperResult } from '../helper.ts';
import type { Listed } from './state.ts';

export function explainPack({ failure, stderr, code }: HelperResult, container: Listed): RootlessError {
  const { name } = container;
  if (failure?.errno === 'ENOSPC' || failure?.errno === 'EDQUOT') {
    return new RootlessError({ code: 'DISK_FULL', exit: 1, message: `no space left to pack the changes of "${name}"`, cause: failure });
  }
  if (failure?.step === 'pack' && failure.message !== undefined && failure.errno === undefined) {
    return new RootlessError({
      code: 'NO_LAYERS',
      exit: 1,
      message: `container "${name}" has no changes that can be told`,
      why: failure.message,
    });
  }
  const reason = [
    failure?.step,
    failure?.target,
    failure?.errno === 'ENAMETOOLONG' ? 'its path is longer than 4095 bytes' : failure?.errno,
    failure?.message,
  ]
    .filter(Boolean)
    .join(': ');
  return new RootlessError({
    code: 'CHANGES_UNREADABLE',
    exit: 1,
    message: `cannot read what container "${name}" has changed`,
    why: reason || stderr.trim().split('\n').at(-1) || `the helper ended with ${code}`,
    cause: failure,
  });
}
