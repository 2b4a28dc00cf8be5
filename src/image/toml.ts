/** Reading TOML 1.0 (toml.io): what configuration files of containers are written in. Dates are kept as text. Pure. */

export type TomlTable = { [key: string]: TomlValue };
export type TomlValue = string | number | boolean | TomlValue[] | TomlTable;

/** What is wrong, and in which line. */
export class TomlError extends Error {
  readonly line: number;
  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

/** @throws TomlError */
export function parseToml(text: string): TomlTable {
  return new Reader(text.replace(/^\ufeff/, '').replaceAll('\r\n', '\n')).document();
}

class Reader {
  readonly #text: string;
  #at = 0;
  /** Tables that a header, a key or an inline table has defined: each may be defined once. */
  readonly #defined = new Set<TomlTable>();
  readonly #closed = new Set<unknown>();

  constructor(text: string) {
    this.#text = text;
  }

  document(): TomlTable {
    const root = newTable();
    let table = root;
    for (this.#blank(); this.#at < this.#text.length; this.#blank()) {
      if (this.#take('[[')) table = this.#element(root);
      else if (this.#take('[')) table = this.#header(root);
      else this.#assign(table);
      this.#space();
      if (this.#at < this.#text.length && !this.#take('\n') && this.#peek() !== '#') throw this.#wrong('there is more on this line');
    }
    return root;
  }

  #header(root: TomlTable): TomlTable {
    const path = this.#path();
    this.#expect(']');
    const table = this.#descend(root, path);
    if (this.#defined.has(table)) throw this.#wrong(`table "${path.join('.')}" is there twice`);
    this.#defined.add(table);
    return table;
  }

  #element(root: TomlTable): TomlTable {
    const path = this.#path();
    this.#expect(']]');
    const parent = this.#descend(root, path.slice(0, -1));
    const name = path.at(-1) ?? '';
    parent[name] ??= [];
    const list = parent[name];
    if (!Array.isArray(list) || this.#closed.has(list)) throw this.#wrong(`"${path.join('.')}" is no list of tables`);
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
      if (!isTable(next) || this.#closed.has(next)) throw this.#wrong(`"${name}" is not a table`);
      table = next;
    }
    return table;
  }

  #assign(table: TomlTable): void {
    const path = this.#path();
    this.#space();
    this.#expect('=');
    this.#space();
    const parent = this.#descend(table, path.slice(0, -1));
    const name = path.at(-1) ?? '';
    if (Object.hasOwn(parent, name)) throw this.#wrong(`"${path.join('.')}" is there twice`);
    parent[name] = this.#value();
  }

  #path(): string[] {
    const path: string[] = [];
    do {
      this.#space();
      path.push(this.#key());
      this.#space();
    } while (this.#take('.'));
    return path;
  }

  #key(): string {
    if (this.#take('"')) return this.#basic();
    if (this.#take("'")) return this.#literal();
    return this.#match(/[A-Za-z0-9_-]+/y) ?? this.#fail('a key is missing');
  }

  #value(): TomlValue {
    if (this.#take('"""')) return this.#basic(true);
    if (this.#take("'''")) return this.#literal(true);
    if (this.#take('"')) return this.#basic();
    if (this.#take("'")) return this.#literal();
    if (this.#take('[')) return this.#array();
    if (this.#take('{')) return this.#inline();
    const word = this.#match(/[^\s,\]}#]+/y) ?? this.#fail('a value is missing');
    if (word === 'true' || word === 'false') return word === 'true';
    return scalar(word) ?? this.#fail(`"${word}" is no value`);
  }

  #array(): TomlValue[] {
    const list: TomlValue[] = [];
    this.#closed.add(list);
    for (this.#blank(); !this.#take(']'); this.#blank()) {
      list.push(this.#value());
      this.#blank();
      if (!this.#take(',') && this.#peek() !== ']') throw this.#wrong('a list needs "," or "]"');
    }
    return list;
  }

  #inline(): TomlTable {
    const table = newTable();
    this.#space();
    while (!this.#take('}')) {
      this.#assign(table);
      this.#space();
      if (!this.#take(',') && this.#peek() !== '}') throw this.#wrong('a table needs "," or "}"');
      this.#space();
    }
    this.#closed.add(table);
    return table;
  }

  #literal(multi = false): string {
    if (multi) this.#take('\n');
    return this.#until(multi ? "'''" : "'", multi);
  }

  #basic(multi = false): string {
    if (multi) this.#take('\n');
    const pattern = multi ? /(?:[^"\\]|\\[\s\S]|"(?!""))*/y : /(?:[^"\\\n]|\\.)*/y;
    const raw = this.#match(pattern) ?? '';
    this.#expect(multi ? '"""' : '"');
    const folded = multi ? raw.replace(/\\[ \t]*\n\s*/g, '') : raw;
    return folded.replace(/\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([\s\S]))/g, (_all, short?: string, long?: string, letter?: string) => {
      const code = short ?? long;
      if (code === undefined) return escapes[letter ?? ''] ?? this.#fail(`"\\${letter}" is no escape`);
      const point = Number.parseInt(code, 16);
      return point > 0x10ffff ? this.#fail(`"${code}" is no character`) : String.fromCodePoint(point);
    });
  }

  #until(end: string, multi: boolean): string {
    const stop = this.#text.indexOf(end, this.#at);
    const found = this.#text.slice(this.#at, stop);
    if (stop < 0 || (!multi && found.includes('\n'))) throw this.#wrong('a string has no end');
    this.#at = stop + end.length;
    return found;
  }

  /** Spaces, comments and ends of lines. */
  #blank(): void {
    this.#match(/(?:[ \t\n]|#[^\n]*)*/y);
  }

  #space(): void {
    this.#match(/[ \t]*/y);
  }

  #peek(): string {
    return this.#text[this.#at] ?? '';
  }

  #take(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #expect(word: string): void {
    if (!this.#take(word)) throw this.#wrong(`"${word}" is missing`);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #fail(message: string): never {
    throw this.#wrong(message);
  }

  #wrong(message: string): TomlError {
    return new TomlError(message, this.#text.slice(0, this.#at).split('\n').length);
  }
}

const escapes: Readonly<Record<string, string>> = {
  b: '\b',
  t: '\t',
  n: '\n',
  f: '\f',
  r: '\r',
  '"': '"',
  '\\': '\\',
};

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
