/** Reading fields of untrusted JSON: every wrong type is named by its path. */

import { RootlessError } from '../errors.ts';

export type Fields = { readonly value: Readonly<Record<string, unknown>>; readonly at: string };

class FieldError extends Error {}

/**
 * Parses JSON text with `read`, and turns what `read` finds wrong into one RootlessError.
 * @throws RootlessError `code`, naming `document` and the JSON path
 */
export function parseJson<T>(text: string | Uint8Array, code: string, document: string, read: (root: Fields) => T): T {
  const invalid = (why: string) => new RootlessError({ code, message: `invalid ${document}`, why });
  let value: unknown;
  try {
    value = JSON.parse(typeof text === 'string' ? text : Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('utf8'));
  } catch {
    // No cause: V8 quotes the text in its message, and the text may be a file of passwords.
    throw invalid('it is not JSON');
  }
  try {
    return read(object(value, ''));
  } catch (cause) {
    throw cause instanceof FieldError ? invalid(cause.message) : cause;
  }
}

/** Fails the surrounding parseJson. */
export function wrong(at: string, what: string): never {
  throw new FieldError(`"${at || '/'}" ${what}`);
}

export function object(value: unknown, at: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) wrong(at, 'is not an object');
  return { value: value as Record<string, unknown>, at };
}

/** The field, where null and absent are the same: Go writes both for an empty one. */
function get(from: Fields, key: string): unknown {
  return Object.hasOwn(from.value, key) ? (from.value[key] ?? undefined) : undefined;
}

export function has(from: Fields, key: string): boolean {
  return get(from, key) !== undefined;
}

export function optionalObject(from: Fields, key: string): Fields | undefined {
  const value = get(from, key);
  return value === undefined ? undefined : object(value, `${from.at}/${key}`);
}

export function requiredObject(from: Fields, key: string): Fields {
  return object(get(from, key), `${from.at}/${key}`);
}

export function optionalText(from: Fields, key: string): string | undefined {
  const value = get(from, key);
  if (value !== undefined && typeof value !== 'string') wrong(`${from.at}/${key}`, 'is not a string');
  return value;
}

export function requiredText(from: Fields, key: string): string {
  return optionalText(from, key) ?? wrong(`${from.at}/${key}`, 'is missing');
}

/** A whole number from 0 up. */
export function optionalCount(from: Fields, key: string): number | undefined {
  const value = get(from, key);
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) wrong(`${from.at}/${key}`, 'is not a whole number');
  return value;
}

/** Elements with their own paths; absent is empty. */
export function list(from: Fields, key: string): { readonly value: unknown; readonly at: string }[] {
  const value = get(from, key);
  if (value === undefined) return [];
  if (!Array.isArray(value)) wrong(`${from.at}/${key}`, 'is not an array');
  return value.map((element: unknown, index) => ({ value: element, at: `${from.at}/${key}/${index}` }));
}

export function texts(from: Fields, key: string): string[] {
  return list(from, key).map(({ value, at }) => (typeof value === 'string' ? value : wrong(at, 'is not a string')));
}

/** A string-to-string map; null values are dropped. */
export function textMap(from: Fields, key: string): Readonly<Record<string, string>> {
  const map = optionalObject(from, key);
  if (map === undefined) return {};
  const entries = Object.keys(map.value).map((name) => [name, optionalText(map, name)] as const);
  return Object.fromEntries(entries.filter((entry): entry is readonly [string, string] => entry[1] !== undefined));
}

/** The keys of a set written as an object of empty objects. */
export function keys(from: Fields, key: string): string[] {
  return Object.keys(optionalObject(from, key)?.value ?? {});
}
