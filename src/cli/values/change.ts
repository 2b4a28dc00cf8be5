/** What `commit` and `import` take: instructions of a Dockerfile, and the moment that builds which can be repeated give. */

import { RootlessError } from '../../errors.ts';
import { applyChanges } from '../../runtime/change.ts';
import { BadValue } from './bad.ts';

/** Each is tried on its own before anything is done. */
export function parseChange(text: string): string {
  try {
    applyChanges({}, [text]);
    return text;
  } catch (error) {
    if (error instanceof RootlessError) throw new BadValue(error.why ?? error.message, error.fix === undefined ? {} : { fix: error.fix });
    throw error;
  }
}

/** `SOURCE_DATE_EPOCH`: seconds since 1970. @throws RootlessError EPOCH_INVALID */
export function parseEpoch(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,11}$/.test(text)) return Number(text);
  throw new RootlessError({
    code: 'EPOCH_INVALID',
    message: `SOURCE_DATE_EPOCH is "${text}"`,
    why: 'it is the number of seconds since 1970',
  });
}
