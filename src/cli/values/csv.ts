/** One line of comma-separated fields (RFC 4180), as `--mount` takes it: quotes keep commas. */

import { BadValue } from './bad.ts';

export function parseCsv(line: string): string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    const quoted = line[at] === '"';
    const end = quoted ? closing(line, at + 1) : comma(line, at);
    fields.push(quoted ? line.slice(at + 1, end).replaceAll('""', '"') : line.slice(at, end));
    at = quoted ? end + 1 : end;
    if (at >= line.length) return fields;
    if (line[at] !== ',') throw new BadValue('extraneous or missing " in quoted-field');
    at++;
  }
}

function comma(line: string, from: number): number {
  const end = line.indexOf(',', from);
  const stop = end === -1 ? line.length : end;
  if (line.slice(from, stop).includes('"')) throw new BadValue('bare " in non-quoted-field');
  return stop;
}

function closing(line: string, from: number): number {
  for (let at = from; at < line.length; at++) {
    if (line[at] !== '"') continue;
    if (line[at + 1] !== '"') return at;
    at++;
  }
  throw new BadValue('extraneous or missing " in quoted-field');
}
