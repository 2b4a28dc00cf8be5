/** `--tmpfs TARGET[:OPTIONS]`; options are those of tmpfs(5). */

import type { MountRequest } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';
import { parseTarget } from './path.ts';

const known =
  /^(ro|rw|(no)?(exec|suid|dev|atime|diratime|relatime)|strictatime|(a)?sync|size=\d+[kmg%]?|mode=[0-7]{1,5}|nr_(inodes|blocks)=\d+[kmg]?|[ug]id=\d+|huge=\w+|noswap|(no)?tmpcopyup)$/i;

export function parseTmpfs(text: string): MountRequest {
  const colon = text.indexOf(':');
  const target = parseTarget(colon === -1 ? text : text.slice(0, colon));
  const options =
    colon === -1
      ? []
      : text
          .slice(colon + 1)
          .split(',')
          .filter((word) => word !== '');
  const bad = options.find((word) => !known.test(word));
  if (bad !== undefined) throw new BadValue(`invalid tmpfs option ["${bad}"]`, { fix: '--tmpfs /run:rw,size=64m,mode=1777' });
  return { kind: 'tmpfs', target, options: options.filter((word) => word.toLowerCase() !== 'notmpcopyup') };
}
