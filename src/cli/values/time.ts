/** Points in time as docker reads them: `10m` ago, a Unix time, RFC 3339 whole or in part. */

import { BadValue } from './bad.ts';

const unitLengths: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's durations: `1h30m`, `1.5s`, `-10m`. @returns milliseconds, or undefined for anything else */
export function duration(text: string): number | undefined {
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)];
  if (text === '0') return 0;
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text.replace(/^[+-]/, '')) return undefined;
  const sum = parts.reduce((total, [, count, unit]) => total + Number(count) * (unitLengths[unit ?? ''] ?? 0), 0);
  return text.startsWith('-') ? -sum : sum;
}

export function parseDuration(text: string): number {
  const length = duration(text);
  if (length === undefined || length < 0) throw new BadValue(`invalid duration "${text}"`, { fix: 'a number and a unit: 90s, 10m, 1h30m' });
  return length;
}

/** Without a zone it is this machine's. @returns milliseconds since 1970 */
export function parseTime(text: string, now: number = Date.now()): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const ago = duration(text);
  if (ago !== undefined) return now - ago;
  const found = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?)?)?(Z|[+-]\d\d:?\d\d)?$/.exec(text);
  const [, date, clock = '00:00', zone = ''] = found ?? [];
  const full = `${date}T${clock.length === 2 ? `${clock}:00` : clock}`;
  const time = found === null ? Number.NaN : Date.parse(full + zone);
  if (Number.isNaN(time)) {
    throw new BadValue(`failed to parse value as time or duration: "${text}"`, {
      fix: 'a duration (10m, 1h30m), a Unix time, or a date: 2026-01-31T12:00:00',
    });
  }
  return time;
}
