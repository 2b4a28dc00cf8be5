/** The doctor's findings for people: sections, a mark each, and what mends it; long words below each other, commands whole. */

import { canMend } from '../doctor/index.ts';
import type { Result, Section, Status } from '../doctor/finding.ts';
import { wrap } from './help.ts';
import { paintOutput, plain } from './paint.ts';

const marks: Readonly<Record<Status, readonly ['green' | 'yellow' | 'red' | 'dim', string]>> = {
  ok: ['green', 'ok'],
  warn: ['yellow', '!!'],
  bad: ['red', 'NO'],
  off: ['dim', '--'],
};

const headings: Readonly<Record<Section, string>> = {
  surroundings: 'Around us',
  ids: 'User and group ids',
  storage: 'Storage',
  network: 'Network',
  cgroups: 'Limits',
  session: 'Session',
  limits: 'The kernel for many containers',
};

/** Columns before a title, and before what stands below it. */
const margin = 6;
/** Fewer columns than this beside the titles, and what was found gets lines of its own. */
const narrow = 30;

/** `asked`: what is well and could be wider is told in full. `columns` of the terminal; Infinity where there is none. */
export function report(results: readonly Result[], asked: boolean, columns: number): string {
  const width = Math.max(0, ...results.map(({ title }) => title.length));
  const lines: string[] = [];
  let section: Section | undefined;
  for (const result of results) {
    if (result.section !== section) {
      lines.push(...(section === undefined ? [] : ['']), paintOutput('bold', headings[result.section]));
      section = result.section;
    }
    lines.push(...describe(result, width, asked, columns));
  }
  return `${[...lines, ...(lines.length > 0 ? [''] : []), ...summary(results, columns)].join('\n')}\n`;
}

function describe(result: Result, width: number, asked: boolean, columns: number): string[] {
  const { status, why, fix, advice } = result;
  const head = headOf(result, width, columns);
  if ((status === 'ok' || status === 'off') && !canMend(result, asked)) {
    return status === 'off' ? head.map((text) => paintOutput('dim', text)) : head;
  }
  const label = status === 'ok' ? 'for more:' : 'fix:';
  return [
    ...head,
    ...(why ? hang(margin, 'why: ', plain(why), columns) : []),
    // A command is copied: the terminal breaks its line, not we.
    ...(fix ?? []).map((text, at) => `${' '.repeat(margin)}${at === 0 ? label : '    '} ${asRoot(text)}`),
    ...(advice ? hang(margin, 'fix: ', plain(advice), columns) : []),
  ];
}

function headOf({ status, title, message }: Result, width: number, columns: number): string[] {
  const [colour, mark] = marks[status];
  const start = `  ${paintOutput(colour, mark)}  `;
  const beside = margin + width + 2;
  if (columns - beside < narrow) return [`${start}${title}`, ...hang(margin, '', plain(message), columns)];
  const [first = '', ...more] = wrap(plain(message), columns - beside);
  return [`${start}${title.padEnd(width)}  ${first}`, ...more.map((text) => ' '.repeat(beside) + text)];
}

/** Text after a label, its further lines below its first word. */
function hang(at: number, label: string, text: string, columns: number): string[] {
  const room = Math.max(10, columns - at - label.length);
  return wrap(text, room).map((part, index) => ' '.repeat(at) + (index === 0 ? label : ' '.repeat(label.length)) + part);
}

/** What needs a shell of root to redirect or to choose is given to one. */
function asRoot(command: string): string {
  return /[<>|&]/.test(command) ? `sudo sh -c '${command.replaceAll("'", `'\\''`)}'` : `sudo ${command}`;
}

function summary(results: readonly Result[], columns: number): string[] {
  const count = (wanted: Status) => results.filter(({ status }) => status === wanted).length;
  const [bad, warn] = [count('bad'), count('warn')];
  if (bad + warn === 0) return [paintOutput('green', 'Nothing is wrong.')];
  const parts = [...(bad > 0 ? [`${bad} broken`] : []), ...(warn > 0 ? [`${warn} could be better`] : [])];
  const mendable = results.some(({ status, fix }) => (status === 'bad' || status === 'warn') && fix);
  const way = mendable ? ' A script for root that mends it: rootless doctor --fix' : '';
  return wrap(`${parts.join(', ')}.${way}`, columns);
}
