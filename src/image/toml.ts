/** Reading TOML 1.0 (toml.io): what configuration files of containers are written in. Dates are kept as text. Pure. */

import { Scanner } from './toml-scanner.ts';

export type TomlTable = { [key: string]: TomlValue };
export type TomlValue = string | number | boolean | TomlValue[] | TomlTable;

/** @throws TomlError */
export function parseToml(text: string): TomlTable {
  return new Reader(text.replace(/^\ufeff/, '').replaceAll('\r\n', '\n')).document();
}

class Reader {
  readonly #in: Scanner;
  /** Tables that a header, a key or an inline table has defined: each may be defined once. */
  readonly #defined = new Set<TomlTable>();
  readonly #closed = new Set<unknown>();

  constructor(text: string) {
    this.#in = new Scanner(text);
  }

  document(): TomlTable {
    const root = newTable();
    let table = root;
    for (this.#in.blank(); !this.#in.ended; this.#in.blank()) {
      if (this.#in.take('[[')) table = this.#element(root);
      else if (this.#in.take('[')) table = this.#header(root);
      else this.#assign(table);
      this.#in.space();
      if (!this.#in.ended && !this.#in.take('\n') && this.#in.peek() !== '#') throw this.#in.wrong('there is more on this line');
    }
    return root;
  }

  #header(root: TomlTable): TomlTable {
    const path = this.#path();
    this.#in.expect(']');
    const table = this.#descend(root, path);
    if (this.#defined.has(table)) throw this.#in.wrong(`table "${path.join('.')}" is there twice`);
    this.#defined.add(table);
    return table;
  }

  #element(root: TomlTable): TomlTable {
    const path = this.#path();
    this.#in.expect(']]');
    const parent = this.#descend(root, path.slice(0, -1));
    const name = path.at(-1) ?? '';
    parent[name] ??= [];
    const list = parent[name];
    if (!Array.isArray(list) || this.#closed.has(list)) throw this.#in.wrong(`"${path.join('.')}" is no list of tables`);
    const table = newTable();
    list.push(table);
    return table;
  }

  #descend(from: TomlTable, path: readonly string[]): TomlTable {
    let table = from;
    for (const name of path) {
      table[name] ??= newTable();
      const found = table[name];
      const next = Array.isArray(found) && !this.#closed.has(found) ? found.at(-1) : found;
      if (!isTable(next) || this.#closed.has(next)) throw this.#in.wrong(`"${name}" is not a table`);
      table = next;
    }
    return table;
  }

  #assign(table: TomlTable): void {
    const path = this.#path();
    this.#in.space();
    this.#in.expect('=');
    this.#in.space();
    const parent = this.#descend(table, path.slice(0, -1));
    const name = path.at(-1) ?? '';
    if (Object.hasOwn(parent, name)) throw this.#in.wrong(`"${path.join('.')}" is there twice`);
    parent[name] = this.#value();
  }

  #path(): string[] {
    const path: string[] = [];
    do {
      this.#in.space();
      path.push(this.#key());
      this.#in.space();
    } while (this.#in.take('.'));
    return path;
  }

  #key(): string {
    if (this.#in.take('"')) return this.#in.basic();
    if (this.#in.take("'")) return this.#in.literal();
    return this.#in.match(/[A-Za-z0-9_-]+/y) ?? this.#in.fail('a key is missing');
  }

  #value(): TomlValue {
    if (this.#in.take('"""')) return this.#in.basic(true);
    if (this.#in.take("'''")) return this.#in.literal(true);
    if (this.#in.take('"')) return this.#in.basic();
    if (this.#in.take("'")) return this.#in.literal();
    if (this.#in.take('[')) return this.#array();
    if (this.#in.take('{')) return this.#inline();
    const word = this.#in.match(/[^\s,\]}#]+/y) ?? this.#in.fail('a value is missing');
    if (word === 'true' || word === 'false') return word === 'true';
    return scalar(word) ?? this.#in.fail(`"${word}" is no value`);
  }

  #array(): TomlValue[] {
    const list: TomlValue[] = [];
    this.#closed.add(list);
    for (this.#in.blank(); !this.#in.take(']'); this.#in.blank()) {
      list.push(this.#value());
      this.#in.blank();
      if (!this.#in.take(',') && this.#in.peek() !== ']') throw this.#in.wrong('a list needs "," or "]"');
    }
    return list;
  }

  #inline(): TomlTable {
    const table = newTable();
    this.#in.space();
    while (!this.#in.take('}')) {
      this.#assign(table);
      this.#in.space();
      if (!this.#in.take(',') && this.#in.peek() !== '}') throw this.#in.wrong('a table needs "," or "}"');
      this.#in.space();
    }
    this.#closed.add(table);
    return table;
  }
}

function scalar(word: string): string | number | undefined {
  const plain = word.replaceAll('_', '');
  if (/^[+-]?(?:[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|0x[0-9A-Fa-f]+|0o[0-7]+|0b[01]+)$/.test(plain)) return Number(plain);
  if (/^[+-]?(?:inf|nan)$/.test(plain)) return plain.endsWith('nan') ? Number.NaN : plain.startsWith('-') ? -Infinity : Infinity;
  return /^[0-9]{4}-[0-9]{2}-[0-9]{2}|^[0-9]{2}:[0-9]{2}/.test(word) ? word : undefined;
}

/** No prototype: a key may be called "constructor". */
function newTable(): TomlTable {
  return Object.create(null) as TomlTable;
}

export function isTable(value: TomlValue | undefined): value is TomlTable {
  return typeof value === 'object' && !Array.isArray(value);
}
