/** `--ulimit NAME=SOFT[:HARD]`; -1 is unlimited. */

import { BadValue } from './bad.ts';

const names = 'as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' ');

export type Ulimit = { readonly name: string; readonly soft: number; readonly hard: number };

export function parseUlimit(text: string): Ulimit {
  const equals = text.indexOf('=');
  if (equals === -1) throw new BadValue(`invalid ulimit argument: ${text}`, { fix: '--ulimit nofile=1024:4096' });
  const name = text.slice(0, equals);
  if (!names.includes(name)) throw new BadValue(`invalid ulimit type: ${name}`, { fix: `types are ${names.join(', ')}` });
  const values = text.slice(equals + 1).split(':');
  if (values.length > 2)
    throw new BadValue(`too many limit value arguments - ${text.slice(equals + 1)}, can only have up to two, soft[:hard]`);
  const soft = parseLimit(values[0] as string);
  const hard = values[1] === undefined ? soft : parseLimit(values[1]);
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw new BadValue(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  }
  return { name, soft, hard };
}

function parseLimit(text: string): number {
  if (text === '-1' || text === 'unlimited') return -1;
  if (!/^\d{1,15}$/.test(text)) throw new BadValue(`"${text}" is not a limit`, { fix: 'a whole number, or -1 for unlimited' });
  return Number(text);
}
