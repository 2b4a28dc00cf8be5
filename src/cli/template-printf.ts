/** `printf` of templates: the verbs of Go's fmt that make sense for JSON values. */

import { show } from './template-values.ts';

/** A wrong verb or a missing operand is shown as Go shows it, inside the text. */
export function printf(format: string, args: readonly unknown[]): string {
  let used = 0;
  const text = format.replace(/%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?([a-zA-Z%])/g, (whole, flags: string, wide, exact, verb: string) => {
    if (verb === '%') return '%';
    const width = wide === '*' ? Number(args[used++]) : Number(wide ?? 0);
    const hasPrecision = whole.includes('.');
    const precision = !hasPrecision ? undefined : exact === '*' ? Number(args[used++]) : Number(exact ?? 0);
    if (used >= args.length) return `%!${verb}(MISSING)`;
    return pad(one(verb, args[used++], flags, precision), width, flags, verb);
  });
  return used < args.length ? `${text}%!(EXTRA ${args.slice(used).map(typed).join(', ')})` : text;
}

function one(verb: string, value: unknown, flags: string, precision: number | undefined): string {
  const sign = flags.includes('+') && typeof value === 'number' && value >= 0 ? '+' : '';
  if (verb === 'v') return sign + (typeof value === 'number' && precision !== undefined ? number('g', value, precision) : show(value));
  if (verb === 's' && typeof value !== 'number' && typeof value !== 'boolean') return show(value).slice(0, precision);
  if (verb === 'q' && typeof value === 'string') return JSON.stringify(value);
  if (verb === 'q' && Number.isInteger(value)) return `'${String.fromCodePoint(Math.min(Math.max(Number(value), 0), 0x10ffff))}'`;
  if (verb === 't' && typeof value === 'boolean') return String(value);
  if (verb === 'T') return value === null ? '<nil>' : typeof value;
  if (verb === 'x' || verb === 'X') return hex(value, flags, verb);
  if (typeof value === 'number') return sign + number(verb, value, precision);
  return `%!${verb}(${typed(value)})`;
}

function number(verb: string, value: number, precision: number | undefined): string {
  const whole = Number.isInteger(value);
  if (verb === 'd' && whole) return String(value);
  if (verb === 'b' && whole) return value.toString(2);
  if (verb === 'o' && whole) return value.toString(8);
  if (verb === 'c' && whole) return String.fromCodePoint(value);
  if (verb === 'f' || verb === 'F') return value.toFixed(precision ?? 6);
  if (verb === 'e' || verb === 'E') return value.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, 'e$10$2');
  if (verb === 'g' || verb === 'G') return precision === undefined ? String(value) : String(Number(value.toPrecision(precision || 1)));
  return `%!${verb}(${typed(value)})`;
}

function hex(value: unknown, flags: string, verb: string): string {
  const text = typeof value === 'number' ? value.toString(16) : Buffer.from(show(value)).toString('hex');
  const full = `${flags.includes('#') ? '0x' : ''}${text}`;
  return verb === 'X' ? full.toUpperCase() : full;
}

function pad(text: string, width: number, flags: string, verb: string): string {
  if (flags.includes('-')) return text.padEnd(width);
  if (!flags.includes('0') || verb === 's' || verb === 'v') return text.padStart(width);
  const sign = /^[+-]/.exec(text)?.[0] ?? '';
  return sign + text.slice(sign.length).padStart(width - sign.length, '0');
}

function typed(value: unknown): string {
  const names: Readonly<Record<string, string>> = {
    number: Number.isInteger(value) ? 'int' : 'float64',
    boolean: 'bool',
    string: 'string',
  };
  return value === null || value === undefined ? '<nil>' : `${names[typeof value] ?? 'map'}=${show(value)}`;
}
