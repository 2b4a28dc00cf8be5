/** What `assert.throws` and `assert.rejects` of the tests ask of an error. */

import { BadValue } from '../../src/cli/values/bad.ts';
import { RootlessError } from '../../src/errors.ts';

export const hasCode =
  (code: string) =>
  (error: unknown): boolean =>
    error instanceof RootlessError && error.code === code;

/** A value of a flag that was not understood, and says why. */
export const isBadValue = (error: unknown): boolean => error instanceof BadValue && error.message !== '';
