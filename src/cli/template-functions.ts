/** The functions of Go's templates (text/template, "Functions") and those that docker adds. */

import { failed, length, show, step, truth } from './template-values.ts';
import { printf } from './template-printf.ts';

type Args = readonly unknown[];

export const functions: Readonly<Record<string, (args: Args) => unknown>> = Object.assign(Object.create(null), {
  json: ([value]: Args) => JSON.stringify(value ?? null),
  upper: (args: Args) => show(last(args)).toUpperCase(),
  lower: (args: Args) => show(last(args)).toLowerCase(),
  title: (args: Args) => show(last(args)).replace(/(^|\s)(\S)/g, (_all, space: string, letter: string) => space + letter.toUpperCase()),
  len: ([value]: Args) => lengthOf(value),
  join: (args: Args) => joined(args),
  split: ([text, separator = ' ']: Args) => show(text).split(show(separator)),
  truncate: (args: Args) => cutTo(args),
  pad: ([text, before = 0, after = 0]: Args) =>
    show(text) === '' ? '' : ' '.repeat(Number(before)) + show(text) + ' '.repeat(Number(after)),
  print: (args: Args) => printed(args),
  println: (args: Args) => `${args.map(show).join(' ')}\n`,
  printf: ([format, ...args]: Args) => printf(show(format), args),
  index: ([value, ...keys]: Args) => keys.reduce(element, value),
  slice: ([value, from = 0, to]: Args) => sliced(value, Number(from), to === undefined ? undefined : Number(to)),
  // Evaluated one by one in template.ts: what is not needed is not looked at.
  and: (args: Args) => args.find((value) => !truth(value)) ?? last(args),
  or: (args: Args) => args.find(truth) ?? last(args),
  not: ([value]: Args) => !truth(value),
  eq: ([first, ...others]: Args) => others.some((other) => compare(first, other, 'eq') === 0),
  ne: ([a, b]: Args) => compare(a, b, 'ne') !== 0,
  lt: ([a, b]: Args) => compare(a, b, 'lt') < 0,
  le: ([a, b]: Args) => compare(a, b, 'le') <= 0,
  gt: ([a, b]: Args) => compare(a, b, 'gt') > 0,
  ge: ([a, b]: Args) => compare(a, b, 'ge') >= 0,
  html: (args: Args) => printed(args).replace(/[&<>"']/g, (char) => entities[char] ?? char),
  urlquery: (args: Args) => encodeURIComponent(printed(args)).replaceAll('%20', '+'),
});

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' };

function last(args: Args): unknown {
  return args.at(-1);
}

/** fmt.Sprint: a space only between two operands that are both no text. */
function printed(args: Args): string {
  return args.reduce<string>((text, value, at) => {
    const apart = at > 0 && typeof value !== 'string' && typeof args[at - 1] !== 'string';
    return `${text}${apart ? ' ' : ''}${show(value)}`;
  }, '');
}

/** `join .List ", "`, and `.List | join ", "` as people expect it. */
function joined([first, second]: Args): string {
  const [list, separator] = typeof first === 'string' && typeof second !== 'string' ? [second, first] : [first, second ?? ''];
  return Array.isArray(list) ? list.map(show).join(show(separator)) : show(list);
}

/** `truncate .ID 12`, and `.ID | truncate 12` as people expect it. Counted in characters, as docker does. */
function cutTo([first, second]: Args): string {
  const [text, count] = typeof first === 'number' && typeof second !== 'number' ? [second, first] : [first, second];
  return [...show(text)].slice(0, Math.max(0, Number(count))).join('');
}

function lengthOf(value: unknown): number {
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean')
    throw failed('len of a value without length');
  return typeof value === 'string' ? Buffer.byteLength(value) : length(value);
}

/** An element that a map does not have is the zero value: an empty text where the others are texts. */
function element(value: unknown, key: unknown): unknown {
  if (value === null || value === undefined) throw failed('index of nil');
  if (Array.isArray(value) || typeof value === 'string') {
    const at = Number(key);
    if (!Number.isInteger(at) || at < 0 || at >= value.length) throw failed(`index out of range: ${show(key)}`);
    return typeof value === 'string' ? value.charCodeAt(at) : value[at];
  }
  if (typeof value !== 'object') throw failed(`cannot index ${show(value)}`);
  return step(value, show(key)) ?? (Object.values(value).every((other) => typeof other === 'string') ? '' : undefined);
}

function sliced(value: unknown, from: number, to: number | undefined): unknown {
  if (typeof value !== 'string' && !Array.isArray(value)) throw failed('slice of a value that is no list and no text');
  if (from < 0 || from > value.length || (to !== undefined && (to < from || to > value.length))) {
    throw failed(`slice index out of range: ${to ?? from}`);
  }
  return value.slice(from, to);
}

function compare(a: unknown, b: unknown, name: string): number {
  if (a === b) return 0;
  const nothing = (value: unknown) => value === null || value === undefined;
  if (nothing(a) || nothing(b)) return nothing(a) && nothing(b) ? 0 : 1;
  if (typeof a !== typeof b || typeof a === 'object') throw failed(`${name}: incompatible types for comparison`);
  if (typeof a === 'boolean') return 1;
  return (a as string | number) < (b as string | number) ? -1 : 1;
}
