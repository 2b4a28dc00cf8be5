/** `rootless doctor`: what this machine lacks for containers, why, and the commands that mend it. */

import { canMend, checks, examine, repairScript } from '../doctor/index.ts';
import type { Result, Section, Status } from '../doctor/finding.ts';
import { thisMachine } from '../doctor/machine.ts';
import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { command } from './command.ts';
import { print } from './output.ts';
import { paintOutput, plain } from './paint.ts';

export default command({
  name: 'doctor',
  flags: {
    json: { type: 'boolean', description: 'all findings as JSON' },
    fix: { type: 'boolean', description: 'print a script for root that mends what can be mended; nothing is run' },
    quiet: { type: 'boolean', alias: 'q', description: 'only what is wrong' },
  },
  words: { usage: '[CHECK...]', min: 0, max: Number.POSITIVE_INFINITY, complete: checks.map(({ id }) => id) },
  examples: ['rootless doctor', 'rootless doctor --fix > mend.sh', 'rootless doctor --json overlay pasta'],
  run: async ({ flags, args, env }) => {
    const chosen = args.length === 0 ? checks : args.map(checkNamed);
    const results = await examine(thisMachine(findPaths(env), searchPath(env), env), chosen);
    if (flags.json) print(`${JSON.stringify(results, null, 2)}\n`);
    else if (flags.fix) print(repairScript(results, args.length > 0) ?? '#!/bin/sh\n# rootless doctor found nothing to mend.\n');
    else print(report(flags.quiet ? results.filter(({ status }) => status === 'bad' || status === 'warn') : results, args.length > 0));
    return results.some(({ status }) => status === 'bad') ? 1 : 0;
  },
});

function checkNamed(id: string) {
  const check = checks.find((known) => known.id === id);
  if (check) return check;
  throw new RootlessError({
    code: 'CHECK_UNKNOWN',
    message: `there is no check "${id}"`,
    fix: `one of: ${checks.map((known) => known.id).join(' ')}`,
  });
}

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

/** `asked`: what is well and could be wider is told in full. */
function report(results: readonly Result[], asked: boolean): string {
  const width = Math.max(0, ...results.map(({ title }) => title.length));
  const lines: string[] = [];
  let section: Section | undefined;
  for (const result of results) {
    if (result.section !== section) {
      lines.push(...(section === undefined ? [] : ['']), paintOutput('bold', headings[result.section]));
      section = result.section;
    }
    lines.push(...describe(result, width, asked));
  }
  return `${[...lines, '', summary(results)].join('\n')}\n`;
}

function describe(result: Result, width: number, asked: boolean): string[] {
  const { status, title, message, why, fix, advice } = result;
  const [colour, mark] = marks[status];
  const head = `  ${paintOutput(colour, mark)}  ${title.padEnd(width)}  ${plain(message)}`;
  if ((status === 'ok' || status === 'off') && !canMend(result, asked)) return [status === 'off' ? paintOutput('dim', head) : head];
  const label = status === 'ok' ? 'for more:' : 'fix:';
  const margin = ' '.repeat(6);
  const more = [
    ...(why ? [`why: ${plain(why)}`] : []),
    ...(fix ?? []).map((text, at) => `${at === 0 ? label : '    '} ${asRoot(text)}`),
    ...(advice ? [`fix: ${plain(advice)}`] : []),
  ];
  return [head, ...more.map((text) => margin + text)];
}

/** What needs a shell of root to redirect or to choose is given to one. */
function asRoot(command: string): string {
  return /[<>|&]/.test(command) ? `sudo sh -c '${command.replaceAll("'", `'\\''`)}'` : `sudo ${command}`;
}

function summary(results: readonly Result[]): string {
  const count = (wanted: Status) => results.filter(({ status }) => status === wanted).length;
  const [bad, warn] = [count('bad'), count('warn')];
  if (bad + warn === 0) return paintOutput('green', 'Nothing is wrong.');
  const parts = [...(bad > 0 ? [`${bad} broken`] : []), ...(warn > 0 ? [`${warn} could be better`] : [])];
  return `${parts.join(', ')}. ${results.some(({ status, fix }) => (status === 'bad' || status === 'warn') && fix) ? 'A script for root that mends it: rootless doctor --fix' : ''}`.trimEnd();
}
