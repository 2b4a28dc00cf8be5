/** `--filter KEY=VALUE` of the listing commands. */

import { BadValue } from './bad.ts';

export type Filter = { readonly key: string; readonly value: string };

export function filterParser(keys: readonly string[]): (text: string) => Filter {
  return (text) => {
    const equals = text.indexOf('=');
    if (equals === -1) throw new BadValue('bad format of filter (expected name=value)', { fix: `filters are ${keys.join(', ')}` });
    const key = text.slice(0, equals);
    if (!keys.includes(key)) throw new BadValue(`invalid filter '${key}'`, { fix: `filters are ${keys.join(', ')}` });
    return { key, value: text.slice(equals + 1) };
  };
}

/** docker's rule: one of the values of a key must match, and every key that is given; of labels all must be there. */
export function passes(filters: readonly Filter[], matches: (key: string, value: string) => boolean): boolean {
  const keys = new Set(filters.map(({ key }) => key));
  return [...keys].every((key) => {
    const values = filters.filter((filter) => filter.key === key).map(({ value }) => value);
    return key.startsWith('label') ? values.every((value) => matches(key, value)) : values.some((value) => matches(key, value));
  });
}

/** `label=KEY` or `label=KEY=VALUE`. */
export function hasLabel(labels: Readonly<Record<string, string>>, text: string): boolean {
  const equals = text.indexOf('=');
  const key = equals === -1 ? text : text.slice(0, equals);
  return Object.hasOwn(labels, key) && (equals === -1 || labels[key] === text.slice(equals + 1));
}

/** `*`, `?` and `[a-z]` as Go's path.Match has them: no star crosses a slash. */
export function glob(pattern: string): RegExp {
  const source = pattern.replace(/\\(.)|\*|\?|\[(\^?)([^\]]+)\]|[.+^${}()|[\]\\]/gs, (found, escaped, not, set) => {
    if (escaped !== undefined) return `\\${escaped}`;
    if (found === '*') return '[^/]*';
    if (found === '?') return '[^/]';
    if (set !== undefined) return `[${not}${String(set).replace(/[\\[\]]/g, '\\$&')}]`;
    return `\\${found}`;
  });
  return new RegExp(`^${source}$`, 's');
}
