/** Text of systemd units (systemd.syntax(7), systemd.service(5) "Command lines"): words quoted and split, sections read. Pure. */

import { RootlessError } from '../errors.ts';

export type UnitLine = { readonly key: string; readonly value: string; readonly line: number };
/** In the order of the file; a section that comes twice is there twice. */
export type UnitSection = { readonly name: string; readonly lines: readonly UnitLine[] };

/** One word of ExecStart=: nothing in it is a specifier, a variable or a quote. */
export function unitWord(text: string): string {
  return quoteWord(text.replaceAll('%', '%%').replaceAll('$', '$$$$'));
}

/** The same for text whose specifiers and variables systemd shall expand. */
export function quoteWord(text: string): string {
  if (text !== '' && !/[\s"'\\;]/.test(text) && !/[\x00-\x1f\x7f]/.test(text)) return text;
  const escaped = text.replace(/[\\"\x00-\x1f\x7f]/g, (char) => {
    if (char === '\\' || char === '"') return `\\${char}`;
    return char === '\n' ? '\\n' : char === '\t' ? '\\t' : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `"${escaped}"`;
}

const escapes: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', s: ' ' };

const parts = /(\s+)|"((?:[^"\\]|\\[\s\S])*)"|'((?:[^'\\]|\\[\s\S])*)'|((?:[^\s"'\\]|\\[\s\S])+)|([\s\S])/g;

/** Words as systemd splits them: quotes group, backslashes escape. @throws RootlessError UNIT_INVALID for a quote that is not closed */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (const [, space, double, single, bare, alone] of text.matchAll(parts)) {
    if (alone === '"' || alone === "'") {
      throw new RootlessError({
        code: 'UNIT_INVALID',
        message: `a quote is not closed: ${text}`,
        fix: `quote a ${alone} with a backslash`,
      });
    }
    if (space !== undefined) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + unescaped(double ?? single ?? bare ?? alone ?? '');
  }
  return word === undefined ? words : [...words, word];
}

function unescaped(text: string): string {
  return text.replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([0-7]{3})|([\s\S]))/g, (_all, hex, unicode, octal, one) => {
    if (one !== undefined) return escapes[one] ?? one;
    return octal === undefined ? fromCode(hex ?? unicode, 16) : fromCode(octal, 8);
  });
}

/** @throws RootlessError UNIT_INVALID with the number of the line */
export function parseUnit(text: string, name: string): UnitSection[] {
  const sections: { name: string; lines: UnitLine[] }[] = [];
  const lines = text.split('\n').map((line) => line.replace(/\r$/, ''));
  for (let at = 0; at < lines.length; at += 1) {
    const number = at + 1;
    let line = lines[at] as string;
    if (/^\s*([#;].*)?$/.test(line)) continue;
    while (line.endsWith('\\') && at + 1 < lines.length) {
      at += 1;
      const next = lines[at] as string;
      // Comments may stand between the parts.
      if (!/^\s*[#;]/.test(next)) line = `${line.slice(0, -1)} ${next.trimStart()}`;
      else if (at + 1 === lines.length) line = line.slice(0, -1);
    }
    const section = /^\s*\[([^\]]+)\]\s*$/.exec(line)?.[1];
    if (section !== undefined) {
      sections.push({ name: section, lines: [] });
      continue;
    }
    const [, key, value = ''] = /^\s*([A-Za-z][A-Za-z0-9-]*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    const current = sections.at(-1);
    if (key === undefined || current === undefined) {
      throw new RootlessError({
        code: 'UNIT_INVALID',
        message: `"${name}", line ${number}: ${current === undefined ? 'a section such as [Container] has to come first' : 'it is no KEY=VALUE'}`,
        why: line.trim(),
      });
    }
    current.lines.push({ key, value, line: number });
  }
  return sections;
}

/** Values of a key; an empty one forgets those before it (systemd.syntax(7)). */
export function valuesOf(lines: readonly UnitLine[], key: string): string[] {
  const found: string[] = [];
  for (const line of lines) {
    if (line.key !== key) continue;
    if (line.value === '') found.length = 0;
    else found.push(line.value);
  }
  return found;
}

export function formatUnit(sections: readonly { readonly name: string; readonly lines: readonly (readonly [string, string])[] }[]): string {
  return sections
    .filter(({ lines }) => lines.length > 0)
    .map(({ name, lines }) => `[${name}]\n${lines.map(([key, value]) => `${key}=${value}\n`).join('')}`)
    .join('\n');
}

function fromCode(digits: string, base: number): string {
  return String.fromCodePoint(Number.parseInt(digits, base));
}
