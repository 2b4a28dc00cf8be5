/** Typed access to a table of TOML: what is there must be of the right kind, what is not has a value of its own. */

import { isTable, type TomlTable, type TomlValue } from './toml.ts';

export class WrongField extends Error {}

export class Fields {
  readonly #table: TomlTable;

  constructor(table: TomlTable) {
    this.#table = table;
  }

  keys(): string[] {
    return Object.keys(this.#table);
  }

  has(key: string): boolean {
    return this.#table[key] !== undefined;
  }

  text(key: string): string {
    return this.#get(key, '', (value) => typeof value === 'string', 'a string');
  }

  flag(key: string): boolean {
    return this.#get(key, false, (value) => typeof value === 'boolean', 'true or false');
  }

  texts(key: string): string[] {
    return this.#get(key, [], (value) => isList(value, (element) => typeof element === 'string'), 'a list of strings');
  }

  table(key: string): Fields {
    return new Fields(this.#get(key, {}, isTable, 'a table'));
  }

  tables(key: string): Fields[] {
    return this.#get<TomlTable[]>(key, [], (value) => isList(value, isTable), 'a list of tables').map((table) => new Fields(table));
  }

  oneOf<T extends string>(key: string, allowed: readonly T[]): T | undefined {
    const text = this.text(key);
    if (text === '') return undefined;
    const found = allowed.find((word) => word === text);
    if (found === undefined) throw new WrongField(`"${key}" is none of ${allowed.join(', ')}`);
    return found;
  }

  #get<T extends TomlValue>(key: string, otherwise: T, fits: (value: TomlValue) => boolean, what: string): T {
    const value = this.#table[key];
    if (value === undefined) return otherwise;
    if (!fits(value)) throw new WrongField(`"${key}" is not ${what}`);
    return value as T;
  }
}

function isList(value: TomlValue, fits: (element: TomlValue) => boolean): boolean {
  return Array.isArray(value) && value.every(fits);
}
