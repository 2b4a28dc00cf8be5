/** Values of a template: what is true, what has a length, how a value is printed. */

import { RootlessError } from '../errors.ts';

/** What only shows once there is data. */
export function failed(text: string, fix?: string): RootlessError {
  return new RootlessError({ code: 'TEMPLATE_FAILED', message: `template: ${text}`, fix, exit: 1 });
}

export function step(value: unknown, key: string): unknown {
  return value !== null && typeof value === 'object' && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

export function length(value: unknown): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  if (value !== null && typeof value === 'object') return Object.keys(value).length;
  return value ? 1 : 0;
}

export function truth(value: unknown): boolean {
  return length(value) > 0;
}

/** Go's %v; the keys of a map are sorted. */
export function show(value: unknown): string {
  if (value === undefined || value === null) return '<no value>';
  if (Array.isArray(value)) return `[${value.map(show).join(' ')}]`;
  if (typeof value === 'object')
    return `map[${entries(value)
      .map(([key, item]) => `${key}:${show(item)}`)
      .join(' ')}]`;
  return String(value);
}

/** In the order in which Go walks a map; methods are none of it. */
export function entries(value: object): [string, unknown][] {
  return Object.entries(value)
    .filter(([, item]) => typeof item !== 'function')
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
