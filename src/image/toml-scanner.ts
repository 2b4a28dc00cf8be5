/** The letters of a TOML document, one after the other: spaces, strings, and complaints with a line. */

/** What is wrong, and in which line. */
export class TomlError extends Error {
  readonly line: number;
  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

export class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get ended(): boolean {
    return this.#at >= this.#text.length;
  }

  literal(multi = false): string {
    if (multi) this.take('\n');
    return this.until(multi ? "'''" : "'", multi);
  }

  basic(multi = false): string {
    if (multi) this.take('\n');
    const pattern = multi ? /(?:[^"\\]|\\[\s\S]|"(?!""))*/y : /(?:[^"\\\n]|\\.)*/y;
    const raw = this.match(pattern) ?? '';
    this.expect(multi ? '"""' : '"');
    const folded = multi ? raw.replace(/\\[ \t]*\n\s*/g, '') : raw;
    return folded.replace(/\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([\s\S]))/g, (_all, short?: string, long?: string, letter?: string) => {
      const code = short ?? long;
      if (code === undefined) return escapes[letter ?? ''] ?? this.fail(`"\\${letter}" is no escape`);
      const point = Number.parseInt(code, 16);
      return point > 0x10ffff ? this.fail(`"${code}" is no character`) : String.fromCodePoint(point);
    });
  }

  until(end: string, multi: boolean): string {
    const stop = this.#text.indexOf(end, this.#at);
    const found = this.#text.slice(this.#at, stop);
    if (stop < 0 || (!multi && found.includes('\n'))) throw this.wrong('a string has no end');
    this.#at = stop + end.length;
    return found;
  }

  /** Spaces, comments and ends of lines. */
  blank(): void {
    this.match(/(?:[ \t\n]|#[^\n]*)*/y);
  }

  space(): void {
    this.match(/[ \t]*/y);
  }

  peek(): string {
    return this.#text[this.#at] ?? '';
  }

  take(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  expect(word: string): void {
    if (!this.take(word)) throw this.wrong(`"${word}" is missing`);
  }

  match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  fail(message: string): never {
    throw this.wrong(message);
  }

  wrong(message: string): TomlError {
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
