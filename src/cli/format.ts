/** Lists and objects on standard output: docker's tables, `--format json`, Go-like templates. */

import { isatty } from 'node:tty';
import type { ValueFlag } from './flags.ts';
import { plain } from './paint.ts';
import { evaluate, evaluateWith, mentions, parseTemplate, type Template } from './template.ts';

export { mentions };

/** A row or an object: plain data with docker's field names. */
export type Row = Readonly<Record<string, unknown>>;

export type Format = { readonly kind: 'json' } | { readonly kind: 'template'; readonly table: boolean; readonly template: Template };

export const formatFlag = {
  type: 'string',
  valueHint: 'json|TEMPLATE',
  parse: parseFormat,
  choices: ['json', 'table'],
  description: '"json", or a template: {{.ID}}',
} as const satisfies ValueFlag;

/** `json`, `{{.ID}} {{.Names}}`, `table {{.ID}}\t{{.Names}}`, `table` (the default: undefined). */
export function parseFormat(text: string): Format | undefined {
  if (text === 'json') return { kind: 'json' };
  if (text === 'table' || text === '') return undefined;
  const table = /^table\s/.test(text) || text.startsWith('table{{');
  const source = table ? text.replace(/^table\s*(?:\\t)?/, '') : text;
  return { kind: 'template', table, template: parseTemplate(source) };
}

/**
 * @param shape     `list`: JSON is one object a line, as docker's; `one`: the objects are printed indented; `array`: one array on one line
 * @param headings  of `table`, by field; other fields are headed by their own name
 * @throws RootlessError TEMPLATE_FAILED
 */
export function render(format: Format, rows: readonly Row[], shape: 'list' | 'one' | 'array', headings: Headings = {}): string {
  if (format.kind === 'json') {
    if (shape === 'array') return `${JSON.stringify(rows)}\n`;
    return rows.map((row) => `${shape === 'list' ? JSON.stringify(row) : JSON.stringify(row, null, 2)}\n`).join('');
  }
  // Labels and names may be those of strangers: no terminal is sent their control characters.
  const clean = isatty(1) ? plain : undefined;
  const lines = rows.map((row) => evaluate(format.template, row, clean));
  if (!format.table) return lines.map((line) => `${line}\n`).join('');
  return table([headOf(format.template, headings), ...lines].map((line) => line.split('\t')));
}

export type Headings = Readonly<Record<string, string>>;

/** The template once more, with headings for fields and nothing done to them: `{{upper .CreatedAt}}` is headed CREATED AT. */
function headOf(template: Template, headings: Headings): string {
  return evaluateWith(template, title('.'), {
    field: (_value, name) => (name === 'Label' ? labelHeading : Object.hasOwn(headings, name) ? headings[name] : title(name)),
    call: (_name, args, value) => value(args.find(({ kind }) => kind !== 'literal') ?? { kind: 'literal', value: '' }),
    walk: (value) => [[value, value]],
    clean: (text) => text,
  });
}

/** docker's: the last word of `com.example.some-label`. */
function labelHeading(key: string): string {
  return (key.split('.').at(-1) ?? '').replace(/[-_]/g, ' ');
}

function title(name: string): string {
  return name.replace(/([a-z])([A-Z])/g, '$1 $2').toUpperCase();
}

/** Columns as wide as their widest cell, three spaces between, no space at the end of a line. */
export function table(rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map((cell) => plain(cell).replaceAll('\n', ' ')));
  const widths: number[] = [];
  for (const row of clean) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return clean
    .map(
      (row) =>
        `${row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** 1000-based with three digits, as docker shows sizes: `7.84MB`. */
export function size(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(unit === 0 ? 15 : value >= 999.5 ? 4 : 3))}${units[unit]}`;
}

/** 1024-based with four digits, as docker shows memory: `7.649GiB`. */
export function binarySize(bytes: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), names.length - 1);
  return `${Number((bytes / 1024 ** power).toPrecision(4))}${names[power]}`;
}

/** How long, in docker's words: `3 hours`, `About a minute`, `Less than a second`. Each unit goes on until there are two of the next. */
export function duration(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(seconds / 3600 + 0.5);
  if (seconds < 1) return 'Less than a second';
  if (seconds < 60) return Math.floor(seconds) === 1 ? '1 second' : `${Math.floor(seconds)} seconds`;
  if (minutes < 60) return minutes === 1 ? 'About a minute' : `${minutes} minutes`;
  if (hours < 48) return hours === 1 ? 'About an hour' : `${hours} hours`;
  if (hours < 24 * 14) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 60) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 730) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(seconds / 3600 / 24 / 365)} years`;
}

/** Go's way to print a time, `2026-01-31 12:00:00 +0100 CET`: docker's CREATED AT. */
export function localDate(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return '';
  const offset = -date.getTimezoneOffset();
  const local = new Date(date.getTime() + offset * 60_000).toISOString();
  const two = (count: number) => String(count).padStart(2, '0');
  const size = Math.abs(offset);
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`;
  const name = offset === 0 ? 'UTC' : (/\(([A-Z]{2,5})\)/.exec(date.toString())?.[1] ?? zone);
  return `${local.slice(0, 10)} ${local.slice(11, 19)} ${zone} ${name}`;
}

/** `2 weeks ago`; empty for a time that is not known. */
export function ago(time: string | number | undefined, now: number): string {
  const then = typeof time === 'string' ? Date.parse(time) : (time ?? Number.NaN);
  return Number.isNaN(then) ? '' : `${duration(Math.max(0, (now - then) / 1000))} ago`;
}
