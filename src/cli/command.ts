/** What a command is: a citty definition whose arguments are read by flags.ts. */

import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import type { Front } from '../front.ts';
import { type Entry, commands } from './commands.ts';
import type { Flags, Values } from './flags.ts';

/** What a command gets to work with: its flags, its words, and the outside world. */
export type Input<F extends Flags> = {
  readonly flags: Values<F>;
  readonly args: readonly string[];
  /** All that was typed after the command. */
  readonly argv: readonly string[];
  /** Names of the flags that were typed, for those whose absence means something else than their default. */
  readonly given: ReadonlySet<string>;
  readonly debug: boolean;
  readonly env: NodeJS.ProcessEnv;
  /** Who started this process, and can become what the command decides on. */
  readonly front: Front | undefined;
};

export type Command = CommandDef & {
  readonly name: string;
  readonly entry: Entry;
  readonly flags: Flags;
  readonly words: Words;
  /** Flags end at the first word. */
  readonly stop: boolean;
  readonly examples: readonly string[];
};

/** The words after the flags: how usage shows them and how many there may be. */
export type Words = {
  readonly usage: string;
  readonly min: number;
  readonly max: number;
  /** What a shell may offer for them. */
  readonly complete?: 'image' | 'container' | 'volume' | 'network' | 'file' | readonly string[];
};

type Definition<F extends Flags> = {
  readonly name: string;
  readonly flags: F;
  readonly words: Words;
  readonly stop?: boolean;
  readonly examples?: readonly string[];
  /** The exit code. */
  readonly run: (input: Input<F>) => number | Promise<number>;
};

export function command<const F extends Flags>(definition: Definition<F>): Command {
  const entry = commands[definition.name] as Entry;
  const leaf: CommandDef = defineCommand<ArgsDef>({
    meta: { name: definition.name, description: entry.summary, hidden: entry.hidden === true },
    args: definition.flags,
    run: ({ data }) => definition.run(data as Input<F>),
  });
  return {
    ...leaf,
    name: definition.name,
    entry,
    flags: definition.flags,
    words: definition.words,
    stop: definition.stop ?? false,
    examples: definition.examples ?? [],
  };
}
