/** `--pull always|missing|never`. */

import { BadValue } from './bad.ts';

export type PullPolicy = 'always' | 'missing' | 'never';

export function parsePull(text: string): PullPolicy {
  if (text === 'always' || text === 'missing' || text === 'never') return text;
  throw new BadValue(`invalid pull option: '${text}': must be one of "always", "missing" or "never"`);
}
