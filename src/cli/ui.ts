/** What people are told on standard error: errors in three lines, plain lines. The only importer of consola. */

import { type ConsolaInstance, createConsola } from 'consola/core';
import { RootlessError } from '../errors.ts';
import { warn } from './output.ts';
import { paint, plain } from './paint.ts';
import { isUnwritable, usualFix } from './usual-fixes.ts';

/** Everything goes through one reporter; nothing is throttled, since two equal lines are two facts. */
const consola: ConsolaInstance = createConsola({
  level: 3,
  throttle: 0,
  reporters: [{ log: ({ args }) => warn(`${args.join(' ')}\n`) }],
});

/** A line of progress where there is no terminal. */
export function line(text: string): void {
  consola.log(plain(text));
}

/** Says what happened, why, and what to do; @returns the exit code. */
export function report(error: unknown, debug: boolean): number {
  consola.error(describe(error, debug));
  return facts(error).exit;
}

/** The three lines; with `debug` the code and the stacks too. */
export function describe(error: unknown, debug: boolean): string {
  const { message, why, fix: own, code } = facts(error);
  const fix = own ?? usualFix(code);
  return [
    `${paint('red', 'rootless:')} ${plain(message).replaceAll('\n', '\\n')}`,
    ...(why === undefined ? [] : [`  ${paint('bold', 'why:')} ${indent(why)}`]),
    ...(fix === undefined ? [] : [`  ${paint('bold', 'fix:')} ${indent(fix)}`]),
    ...(debug ? [`  code: ${code}`, stack(error)] : []),
  ].join('\n');
}

/** Further lines stand below the first one. */
function indent(text: string): string {
  return text.trimEnd().split('\n').map(plain).join('\n       ');
}

function facts(error: unknown): RootlessError {
  return error instanceof RootlessError ? error : unexpected(error);
}

/** A system error has a meaning for users; everything else is a bug of ours. */
function unexpected(error: unknown): RootlessError {
  const { code, message } = (error ?? {}) as NodeJS.ErrnoException;
  const text = message ?? String(error);
  if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) {
    const facts = error as NodeJS.ErrnoException;
    const name = isUnwritable(facts) ? 'STORE_UNWRITABLE' : `SYSTEM_${code}`;
    return new RootlessError({ code: name, message: systemWords(facts), cause: error });
  }
  return new RootlessError({
    code: 'BUG',
    message: `internal error: ${text}`,
    fix: 'this is a bug in rootless: run it again with --debug and report what it prints',
    cause: error,
  });
}

/** `EACCES: permission denied, open '/x'` in the order that people read. */
function systemWords({ message, path, syscall }: NodeJS.ErrnoException): string {
  const reason = /^E[A-Z0-9]+: ([^,]+)/.exec(message)?.[1];
  return reason === undefined || path === undefined || syscall === undefined ? message : `cannot ${syscall} "${path}": ${reason}`;
}

function stack(error: unknown): string {
  const lines: string[] = [];
  for (let at: unknown = error; at !== undefined && lines.length < 8; at = at instanceof Error ? at.cause : undefined) {
    lines.push(at instanceof Error ? (at.stack ?? at.message) : JSON.stringify(at));
  }
  return lines.map(plain).join('\ncaused by: ');
}
