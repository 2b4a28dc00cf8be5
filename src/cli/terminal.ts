/** What docker says when `-i` and `-t` are asked for and standard input is no terminal. */

import { RootlessError } from '../errors.ts';

export function inputNotTty(): RootlessError {
  return new RootlessError({
    code: 'INPUT_NOT_TTY',
    message: 'the input device is not a TTY',
    why: '-i and -t together make a terminal of standard input, and it is a file or a pipe',
    fix: 'leave out -t',
  });
}
