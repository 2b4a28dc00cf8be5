/** `--restart`: no, always, unless-stopped, on-failure[:MOST]. */

import type { RestartPolicy } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';

const policies = ['no', 'always', 'unless-stopped', 'on-failure'] as const;

/** docker's words for what is wrong. */
export function parseRestart(text: string): RestartPolicy {
  const [name = '', count, ...more] = text.split(':');
  const policy = policies.find((one) => one === (name === '' ? 'no' : name));
  if (policy === undefined || more.length > 0) {
    throw new BadValue(`invalid restart policy: unknown policy '${name}'`, { fix: `one of ${policies.join(', ')}; on-failure:3` });
  }
  if (count === undefined) return { policy, retries: 0 };
  if (policy !== 'on-failure') throw new BadValue(`invalid restart policy: maximum retry count cannot be used with '${policy}'`);
  if (!/^\d{1,9}$/.test(count)) throw new BadValue('invalid restart policy: maximum retry count must be an integer');
  return { policy, retries: Number(count) };
}
