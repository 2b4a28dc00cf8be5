/** Documents of this folder: good ones as they are, bad ones as a good one with a patch, text, or a repeated piece of text. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DocumentKind, documentKinds } from '../../src/wasm/validator.ts';
import { checkout } from '../support/checkout.ts';

export type Fixture = {
  readonly name: string;
  readonly kind: DocumentKind;
  readonly text: string;
  /** `rule path` of every problem, in order; none for good documents. */
  readonly breaks: readonly string[];
};

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

type BadFile = {
  readonly kind: DocumentKind;
  readonly base: string;
  readonly cases: readonly {
    readonly breaks: readonly string[];
    readonly patch?: Json;
    readonly text?: string;
    readonly repeat?: readonly [string, number];
  }[];
};

const folder = join(checkout, 'test/contract/fixtures');

export function goodFixtures(): Fixture[] {
  return files('good').map((name) => ({ name, kind: kindOf(name), text: readText('good', name), breaks: [] }));
}

export function badFixtures(): Fixture[] {
  return files('bad').flatMap((name) => {
    const { kind, base, cases }: BadFile = JSON.parse(readText('bad', name));
    const good = readText('good', base);
    return cases.map(({ breaks, patch, text, repeat }, index) => ({
      name: `${name}[${index}] ${breaks[0]}`,
      kind,
      breaks,
      text: text ?? repeat?.[0].repeat(repeat[1]) ?? patched(good, patch ?? {}),
    }));
  });
}

/** Numbers beyond 2^53 would change: they are kept as text on the way. */
function patched(text: string, patch: Json): string {
  const marked = text.replaceAll(/(?<=[ [,])\d{16,}(?=[ ,\]}])/g, '"number:$&"');
  return JSON.stringify(merge(JSON.parse(marked), patch)).replaceAll(/"number:(\d+)"/g, '$1');
}

/** RFC 7386. */
function merge(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result: Record<string, Json> = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merge(result[name], value);
  }
  return result;
}

function isObject(value: Json | undefined): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function files(part: string): string[] {
  const names = readdirSync(join(folder, part)).filter((name) => name.endsWith('.json'));
  return names.map((name) => name.slice(0, -'.json'.length)).sort();
}

function readText(part: string, name: string): string {
  return readFileSync(join(folder, part, `${name}.json`), 'utf8');
}

/** The longest kind that the name begins with. */
function kindOf(name: string): DocumentKind {
  const fitting = documentKinds.filter((kind) => name.startsWith(kind)).sort((a, b) => b.length - a.length);
  const [kind] = fitting;
  if (kind === undefined) throw new Error(`the name of "${name}" does not begin with a kind`);
  return kind;
}
