/** `HEALTHCHECK [--interval=30s …] CMD …` and `HEALTHCHECK NONE`. Pure. */

import type { RootlessError } from '../errors.ts';
import { wordList } from './change-words.ts';

type Bad = (why: string) => RootlessError;

const units: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };
const fields = new Map([
  ['interval', 'Interval'],
  ['timeout', 'Timeout'],
  ['start-period', 'StartPeriod'],
  ['start-interval', 'StartInterval'],
]);

/** docker's form, times in nanoseconds. */
export function parseCheck(text: string, bad: Bad): Record<string, unknown> {
  const check: Record<string, unknown> = {};
  let rest = text;
  for (let flag = /^--([a-z-]+)=(\S+)\s*/.exec(rest); flag !== null; flag = /^--([a-z-]+)=(\S+)\s*/.exec(rest)) {
    const [whole, name = '', value = ''] = flag;
    const field = fields.get(name);
    if (field !== undefined) check[field] = nanoseconds(value, bad);
    else if (name === 'retries' && /^\d+$/.test(value)) check['Retries'] = Number(value);
    else throw bad(`--${name}=${value} is no option of a health check`);
    rest = rest.slice(whole.length);
  }
  if (/^NONE$/i.test(rest)) return { Test: ['NONE'] };
  const [, words] = /^CMD\s+([\s\S]+)$/i.exec(rest) ?? [];
  if (words === undefined) throw bad('a health check is NONE or CMD …');
  const list = wordList(words);
  return { Test: list === undefined ? ['CMD-SHELL', words] : ['CMD', ...list], ...check };
}

/** Go's durations: `1m30s`, `500ms`. */
function nanoseconds(text: string, bad: Bad): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) throw bad(`"${text}" is no duration`);
  return Math.round(parts.reduce((sum, [, count, unit]) => sum + Number(count) * (units[unit ?? ''] ?? 0), 0));
}
