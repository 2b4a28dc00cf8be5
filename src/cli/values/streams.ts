/** `--attach`: which of its streams a container in the foreground shares with the caller. */

import { BadValue } from './bad.ts';

export const streams = ['stdin', 'stdout', 'stderr'] as const;
export type Stream = (typeof streams)[number];

/** docker's words, in any case. */
export function parseStream(text: string): Stream {
  const found = streams.find((one) => one === text.toLowerCase());
  if (found) return found;
  throw new BadValue(`invalid stream: "${text}"`, { fix: 'valid streams are stdin, stdout and stderr' });
}
