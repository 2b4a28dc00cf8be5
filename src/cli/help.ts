/** The text of `--help`: grouped, short, at most 80 columns. */

import type { Command } from './command.ts';
import { commands, families } from './commands.ts';
import { type Flag, type Flags, globalFlags } from './flags.ts';

const width = 80;
/** Where descriptions begin; longer labels get a line of their own. */
const column = 30;

type Row = { readonly label: string; readonly text: string };

export function rootHelp(): string {
  const groups = new Map<string, Row[]>();
  for (const [name, entry] of Object.entries(commands)) {
    if (!entry.hidden && !name.includes(' ')) push(groups, entry.group, { label: name, text: entry.summary });
  }
  return page([
    'Usage: rootless [--debug] COMMAND [FLAGS] [WORDS]',
    'OCI containers for people who are not root',
    ...[...groups].map(([title, rows]) => block(capital(title), rows, 14)),
    `More: ${wrap(Object.keys(families).join(', '), width - 6).join('\n      ')}`,
    block(
      'Flags',
      [
        { label: '-h, --help', text: globalFlags.help.description },
        { label: '-v, --version', text: 'show the version' },
        { label: '    --debug', text: globalFlags.debug.description },
      ],
      18,
    ),
    'Try: rootless run --rm -it alpine sh\n     rootless COMMAND --help',
  ]);
}

/** `rootless image`: docker's second spellings of our commands. */
export function familyHelp(name: string): string {
  const rows = Object.entries(families[name] ?? {}).map(([word, target]) => ({
    label: word,
    text: `${commands[target]?.summary}${target === `${name} ${word}` ? '' : ` (rootless ${target})`}`,
  }));
  return page([`Usage: rootless ${name} COMMAND`, block('Commands', rows, 14)]);
}

export function commandHelp(command: Command): string {
  const groups = new Map<string, Row[]>();
  for (const [name, flag] of Object.entries(command.flags as Flags)) {
    if (!flag.hidden) push(groups, flag.group ?? 'Flags', { label: label(name, flag), text: flag.description });
  }
  const usage = ['Usage: rootless', command.name, '[FLAGS]', command.words.usage].filter((word) => word !== '').join(' ');
  return page([
    usage,
    capital(command.entry.summary),
    ...[...groups].map(([title, rows]) => block(title, rows, column)),
    command.examples.length === 0 ? '' : `Examples:\n${command.examples.map((line) => `  ${line}`).join('\n')}`,
  ]);
}

/** `-p, --publish [[IP:]PORT:]PORT`. */
export function label(name: string, flag: Flag): string {
  const letter = flag.alias === undefined ? '    ' : `-${flag.alias}, `;
  return `${letter}--${name}${flag.type === 'boolean' ? '' : ` ${flag.valueHint}`}`;
}

function block(title: string, rows: readonly Row[], at: number): string {
  return [`${title}:`, ...rows.map((row) => line(row, at))].join('\n');
}

function line(row: Row, at: number): string {
  const pad = ' '.repeat(at + 2);
  const text = wrap(row.text, width - at - 2).join(`\n${pad}`);
  const start = `  ${row.label}`;
  return start.length < at + 1 ? `${start.padEnd(at + 2)}${text}` : `${start}\n${pad}${text}`;
}

/** Breaks at spaces. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let current = '';
  for (const word of text.split(' ')) {
    if (current !== '' && current.length + 1 + word.length > columns) {
      lines.push(current);
      current = word;
    } else {
      current = current === '' ? word : `${current} ${word}`;
    }
  }
  return [...lines, current];
}

function page(parts: readonly string[]): string {
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function push(groups: Map<string, Row[]>, key: string, row: Row): void {
  const rows = groups.get(key) ?? [];
  rows.push(row);
  groups.set(key, rows);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
