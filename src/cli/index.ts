/** The command line: finds the command, reads its flags, runs it; every failure becomes words and an exit code here. */

import { runCommand } from 'citty';
import { RootlessError } from '../errors.ts';
import { type Front, takeFront } from '../front.ts';
import type { Command } from './command.ts';
import { commands, families } from './commands.ts';
import { type Flags, parseFlags } from './flags.ts';
import { Closed, print } from './output.ts';
import { nearest } from './suggest.ts';

export const rootFlags = {
  version: { type: 'boolean', alias: 'v', description: 'show the version' },
} as const satisfies Flags;

type State = { debug: boolean; readonly front: Front | undefined };

/** @returns the exit code: the container's, or 125, 126, 127 for what rootless itself could not do */
export async function main(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const state: State = { debug: false, front: takeFront(env) };
  try {
    return await dispatch(argv, env, state);
  } catch (error) {
    if (error instanceof Closed) return 141;
    const { report } = await import('./ui.ts');
    return report(await withMoreWords(error, argv, env), state.debug);
  }
}

/** What only the command line can say: the way on for users of other tools, and why there is no user namespace at all. */
async function withMoreWords(error: unknown, argv: readonly string[], env: NodeJS.ProcessEnv): Promise<unknown> {
  if (!(error instanceof RootlessError)) return error;
  if (/^UNKNOWN_(COMMAND|FLAG)$/.test(error.code)) return (await import('./foreign.ts')).withWayOn(error, argv);
  if (/^(LAYER_UNPACK|REMOVE)_FAILED$/.test(error.code)) return (await import('./refused-ids.ts')).withReason(error, env);
  return error;
}

async function dispatch(argv: readonly string[], env: NodeJS.ProcessEnv, state: State): Promise<number> {
  const root = parseFlags('', rootFlags, argv, true);
  state.debug = root.debug;
  const [name, ...rest] = root.args;
  if (root.values.version) return start('version', ['--short'], env, state);
  if (root.help || name === undefined) return help([], 0);
  if (name === 'help') return help(rest, 0);
  const family = families[name];
  if (family === undefined) return start(name, rest, env, state);
  const [second, ...more] = rest;
  if (second === undefined || second === '--help' || second === '-h') return help([name], 0);
  const member = family[second];
  if (member === undefined) throw unknown(`${name} ${second}`, second, Object.keys(family), `${name} `);
  return start(member, more, env, state);
}

async function start(name: string, argv: readonly string[], env: NodeJS.ProcessEnv, state: State): Promise<number> {
  const entry = commands[name];
  if (entry === undefined) throw unknown(name, name, [...visible(), ...Object.keys(families)], '');
  const { default: command } = await entry.load();
  const parsed = parseFlags(name, command.flags, argv, command.stop);
  if (parsed.help) return help([name], 0);
  state.debug ||= parsed.debug;
  checkWords(command, parsed.args);
  const data = { flags: parsed.values, args: parsed.args, argv, given: parsed.given, debug: state.debug, env, front: state.front };
  // The flags are read already: citty gets only the words, so that it has nothing to guess.
  const { result } = await runCommand({ ...command, args: {} }, { rawArgs: ['--', ...parsed.args], data });
  return typeof result === 'number' ? result : 0;
}

function checkWords(command: Command, args: readonly string[]): void {
  const { min, max, usage } = command.words;
  if (args.length >= min && args.length <= max) return;
  const count = args.length < min ? `at least ${min}` : `at most ${max}`;
  const plural = (args.length < min ? min : max) === 1 ? '' : 's';
  throw new RootlessError({
    code: 'ARGUMENTS_WRONG',
    message: `"rootless ${command.name}" requires ${min === max ? (max === 0 ? 'no' : `exactly ${max}`) : count} argument${plural}`,
    fix: `rootless ${command.name} ${usage}`.trimEnd(),
  });
}

async function help(words: readonly string[], code: number): Promise<number> {
  const { commandHelp, familyHelp, rootHelp } = await import('./help.ts');
  const [name, second] = words;
  if (name === undefined) print(rootHelp());
  else if (families[name] !== undefined && second === undefined) print(familyHelp(name));
  else {
    const key = families[name]?.[second ?? ''] ?? name;
    const entry = commands[key];
    if (entry === undefined) throw unknown(key, key, visible(), '');
    print(commandHelp((await entry.load()).default));
  }
  return code;
}

function visible(): string[] {
  return Object.keys(commands).filter((name) => commands[name]?.hidden !== true && !name.includes(' '));
}

function unknown(shown: string, word: string, known: readonly string[], prefix: string): RootlessError {
  const close = nearest(word, known);
  const list = `"rootless ${prefix}--help" lists the commands`;
  return new RootlessError({
    code: 'UNKNOWN_COMMAND',
    message: `unknown command: rootless ${shown}`,
    fix: close === undefined ? list : `did you mean "rootless ${prefix}${close}"? ${list}`,
  });
}
