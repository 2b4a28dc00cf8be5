/** The command table as completion scripts need it. */

import type { Words } from './command.ts';
import { commands, families } from './commands.ts';
import { type Flag, type Flags, globalFlags } from './flags.ts';

export type TreeFlag = {
  /** `--name`, and `-n` if it has a letter. */
  readonly words: readonly string[];
  readonly name: string;
  readonly letter: string | undefined;
  readonly description: string;
  readonly takesValue: boolean;
  readonly repeat: boolean;
  readonly choices: readonly string[];
  /** Names that it may be besides. */
  readonly complete: 'network' | 'container' | undefined;
  /** Its value is a path. */
  readonly file: boolean;
};

export type TreeCommand = {
  /** `ps`, or `container ls`. */
  readonly path: string;
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly TreeFlag[];
  readonly complete: Words['complete'];
  /** Only the first word is ours to complete: the others belong to the container. */
  readonly stop: boolean;
};

export type Tree = { readonly commands: readonly TreeCommand[]; readonly families: readonly string[] };

export async function readTree(): Promise<Tree> {
  const found: TreeCommand[] = [];
  for (const [name, entry] of Object.entries(commands)) {
    if (entry.hidden) continue;
    const { default: command } = await entry.load();
    const flags = [...Object.entries(command.flags as Flags), ...Object.entries(globalFlags as Flags)]
      .filter(([, flag]) => !flag.hidden)
      .map(([key, flag]) => treeFlag(key, flag, command.flags));
    const { summary } = entry;
    found.push({ path: name, name, summary, flags, complete: command.words.complete, stop: command.stop });
  }
  const aliases = Object.entries(families).flatMap(([family, members]) =>
    Object.entries(members).flatMap(([word, target]) => {
      const command = found.find(({ name }) => name === target);
      return command === undefined || target === `${family} ${word}` ? [] : [{ ...command, path: `${family} ${word}` }];
    }),
  );
  return { commands: [...found, ...aliases], families: Object.keys(families) };
}

function treeFlag(name: string, flag: Flag, own: Flags): TreeFlag {
  // `-h` is --hostname where the command says so.
  const taken = flag === globalFlags.help && Object.values(own).some(({ alias }) => alias === flag.alias);
  const letter = taken ? undefined : flag.alias;
  const value = flag.type === 'string' ? flag : undefined;
  return {
    name,
    letter,
    words: [`--${name}`, ...(letter === undefined ? [] : [`-${letter}`])],
    description: flag.description,
    takesValue: value !== undefined,
    repeat: value?.repeat === true,
    choices: value?.choices ?? [],
    complete: value?.complete,
    file: value !== undefined && /FILE|SRC/.test(value.valueHint),
  };
}
