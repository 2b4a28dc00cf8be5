/** Variables and labels: `NAME=VALUE` on the line or in files. */

import { BadValue } from './bad.ts';

/** `-e NAME=VALUE` or `-e NAME` (the host's value, looked up later). */
export function parseEnv(text: string): string {
  if (text === '' || text.startsWith('=')) throw new BadValue(`invalid environment variable: ${text}`);
  if (text.includes('\0')) throw new BadValue('a variable cannot contain a NUL byte');
  return text;
}

/** `--label KEY[=VALUE]`. */
export function parseLabel(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  const key = equals === -1 ? text : text.slice(0, equals);
  if (key.trim() === '') throw new BadValue(`invalid label: "${text}"`);
  return [key, equals === -1 ? '' : text.slice(equals + 1)];
}

/**
 * The lines of an `--env-file` or `--label-file`: `#` comments only at the start of a line, values verbatim,
 * quotes and spaces kept. A name alone stays a name alone.
 */
export function parseKeyLines(bytes: Uint8Array): string[] {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new BadValue('it is not UTF-8 text');
  }
  return text
    .split('\n')
    .map((line) => line.replace(/\r$/, '').replace(/^[ \t]+/, ''))
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(checkKey);
}

function checkKey(line: string): string {
  const name = line.split('=', 1)[0] as string;
  if (name === '') throw new BadValue(`no variable name on line '${line}'`);
  if (/[ \t]/.test(name)) throw new BadValue(`variable '${name}' contains whitespaces`);
  if (line.includes('\0')) throw new BadValue(`variable '${name}' contains a NUL byte`);
  return line;
}

/** Replaces names alone by the host's `NAME=VALUE`; a name that the host does not have is left out, as docker does. */
export function lookUp(lines: readonly string[], host: NodeJS.ProcessEnv): string[] {
  return lines.flatMap((line) => {
    if (line.includes('=')) return [line];
    const value = host[line];
    return value === undefined ? [] : [`${line}=${value}`];
  });
}
