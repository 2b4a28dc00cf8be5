/** `--detach-keys`: `ctrl-p,ctrl-q`, single letters, or nothing for none. */

import { BadValue } from './bad.ts';

export function parseKeys(text: string): string {
  if (text === '' || text.split(',').every((key) => /^(ctrl-[a-zA-Z@[\\\]^_]|[\x21-\x7e])$/.test(key))) return text;
  throw new BadValue(`invalid detach keys: "${text}"`, { fix: 'keys are letters and ctrl-LETTER with commas between: ctrl-p,ctrl-q' });
}
