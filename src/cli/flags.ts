/** The one argv parser: pflag's rules, because people type docker lines. Definitions are citty's, with a few words added. */

import { RootlessError } from '../errors.ts';
import { nearest } from './suggest.ts';
import { BadValue } from './values/bad.ts';

type Common = {
  readonly description: string;
  /** One letter. */
  readonly alias?: string;
  /** Heading in `--help`; flags without one come first. */
  readonly group?: string;
  readonly hidden?: boolean;
};

export type BooleanFlag = Common & { readonly type: 'boolean'; readonly default?: boolean };

export type ValueFlag = Common & {
  readonly type: 'string';
  readonly valueHint: string;
  /** The last one wins unless this is set; then all are kept, in order. */
  readonly repeat?: true;
  /** Throws BadValue; the words around it are made here. */
  readonly parse?: (text: string) => unknown;
  /** Words that a shell may offer as value. */
  readonly choices?: readonly string[];
  /** Names that a shell may offer too. */
  readonly complete?: 'network' | 'container';
};

export type Flag = BooleanFlag | ValueFlag;
export type Flags = Readonly<Record<string, Flag>>;

type One<F extends Flag> = F extends { readonly parse: (text: string) => infer V } ? V : string;

/** What a table of flags becomes: booleans always, values or `undefined`, lists for repeated flags. */
export type Values<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends BooleanFlag
    ? boolean
    : F[K] extends { readonly repeat: true }
      ? readonly One<F[K]>[]
      : One<F[K]> | undefined;
};

export type Parsed<F extends Flags> = {
  readonly values: Values<F>;
  /** Names of the flags that were typed. */
  readonly given: ReadonlySet<string>;
  /** Each of them, in order, by its whole name; `bare`: it needs no value. */
  readonly typed: readonly TypedFlag[];
  /** Positional arguments, exactly as typed. */
  readonly args: readonly string[];
  /** `--help` (or `-h` where it is not a flag of the command) was met before anything else went wrong. */
  readonly help: boolean;
  readonly debug: boolean;
};

export type TypedFlag = { readonly name: string; readonly text: string; readonly bare: boolean };

/** Flags of every command. */
export const globalFlags = {
  help: { type: 'boolean', alias: 'h', description: 'show this help' },
  debug: { type: 'boolean', description: 'print stacks and what is started' },
} as const satisfies Flags;

/**
 * @param stop  flags end at the first positional (`run`: the rest belongs to the container)
 * @throws RootlessError UNKNOWN_FLAG, FLAG_NEEDS_VALUE, FLAG_VALUE_INVALID; exit 125
 */
export function parseFlags<const F extends Flags>(command: string, flags: F, argv: readonly string[], stop: boolean): Parsed<F> {
  const line = new Line(command, flags);
  let at = 0;
  for (; at < argv.length && !line.help; at++) {
    const word = argv[at] as string;
    if (word === '--') {
      at++;
      break;
    }
    if (word === '-' || !word.startsWith('-')) {
      if (stop) break;
      line.args.push(word);
    } else {
      const used = word.startsWith('--') ? line.long(word, argv[at + 1]) : line.short(word, argv[at + 1]);
      if (used) at++;
    }
  }
  line.args.push(...argv.slice(at));
  const { given, typed, args } = line;
  return { values: line.values as Values<F>, given, typed, args, help: line.help, debug: line.values['debug'] === true };
}

/** One command line while it is read. The maps have no prototype: `--constructor` is an unknown flag. */
class Line {
  readonly args: string[] = [];
  readonly values: Record<string, unknown> = Object.create(null);
  readonly given = new Set<string>();
  readonly typed: TypedFlag[] = [];
  help = false;
  readonly #command: string;
  readonly #flags: Record<string, Flag> = Object.create(null);
  readonly #letters: Record<string, string> = Object.create(null);

  constructor(command: string, flags: Flags) {
    this.#command = command;
    for (const table of [globalFlags, flags] as readonly Flags[]) {
      for (const [name, flag] of Object.entries(table)) {
        this.#flags[name] = flag;
        if (flag.alias !== undefined) this.#letters[flag.alias] = name;
        this.values[name] = flag.type === 'boolean' ? (flag.default ?? false) : flag.repeat ? [] : undefined;
      }
    }
  }

  /** `--name`, `--name=value`, `--name value`; true when the next word was used up. */
  long(word: string, next: string | undefined): boolean {
    const equals = word.indexOf('=');
    const name = word.slice(2, equals === -1 ? undefined : equals);
    const flag = this.#flags[name];
    if (flag === undefined) throw this.#unknown(`unknown flag: --${name}`, name);
    if (equals !== -1) return this.#set(name, flag, word.slice(equals + 1));
    if (flag.type === 'boolean') return this.#set(name, flag, 'true');
    if (next === undefined) throw this.#missing(`flag needs an argument: --${name}`, name, flag);
    this.#set(name, flag, next);
    return true;
  }

  /** `-it`, `-p80:80`, `-p=80:80`, `-p 80:80`, `-itp 80:80`; true when the next word was used up. */
  short(word: string, next: string | undefined): boolean {
    for (let i = 1; i < word.length; i++) {
      const letter = word[i] as string;
      const name = this.#letters[letter];
      const flag = name === undefined ? undefined : this.#flags[name];
      const rest = word.slice(i + 1);
      if (name === undefined || flag === undefined) {
        throw this.#unknown(`unknown shorthand flag: '${letter}' in ${word}`, i === 1 ? word.slice(1) : '');
      }
      if (rest.startsWith('=')) return this.#set(name, flag, rest.slice(1));
      if (flag.type === 'boolean') {
        this.#set(name, flag, 'true');
        continue;
      }
      if (rest !== '') return this.#set(name, flag, rest);
      if (next === undefined) {
        // docker's `-h` of run is --hostname; alone at the end of the line it can only be a call for help.
        if (letter === 'h') return this.#set('help', globalFlags.help, 'true');
        throw this.#missing(`flag needs an argument: '${letter}' in ${word}`, name, flag);
      }
      this.#set(name, flag, next);
      return true;
    }
    return false;
  }

  #set(name: string, flag: Flag, text: string): false {
    this.given.add(name);
    this.typed.push({ name, text, bare: flag.type === 'boolean' });
    if (flag.type === 'boolean') {
      this.values[name] = this.#check(name, flag, text, parseBoolean);
      if (name === 'help') this.help = this.values[name] === true;
      return false;
    }
    const value = flag.parse === undefined ? text : this.#check(name, flag, text, flag.parse);
    if (flag.repeat) (this.values[name] as unknown[]).push(value);
    else this.values[name] = value;
    return false;
  }

  #check(name: string, flag: Flag, text: string, parse: (text: string) => unknown): unknown {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof BadValue)) throw error;
      const label = flag.alias === undefined ? `--${name}` : `-${flag.alias}, --${name}`;
      throw new RootlessError({
        code: 'FLAG_VALUE_INVALID',
        message: `invalid argument "${text}" for "${label}" flag: ${error.message}`,
        why: error.why,
        fix: error.fix,
        cause: error,
      });
    }
  }

  #unknown(message: string, name: string): RootlessError {
    const close = nearest(
      name,
      Object.keys(this.#flags).filter((key) => !this.#flags[key]?.hidden),
    );
    const help = `"${['rootless', this.#command, '--help'].filter(Boolean).join(' ')}" lists its flags`;
    return new RootlessError({ code: 'UNKNOWN_FLAG', message, fix: close ? `did you mean "--${close}"? ${help}` : help });
  }

  #missing(message: string, name: string, flag: ValueFlag): RootlessError {
    return new RootlessError({ code: 'FLAG_NEEDS_VALUE', message, fix: `--${name} ${flag.valueHint}: ${flag.description}` });
  }
}

/** The words that docker takes after `--flag=`. */
function parseBoolean(text: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
  throw new BadValue('must be true or false');
}
