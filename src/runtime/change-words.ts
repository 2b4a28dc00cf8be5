/** Words of a Dockerfile instruction: quotes, backslashes, and pairs of key and value. Pure. */

import type { RootlessError } from '../errors.ts';

type Bad = (why: string) => RootlessError;

/** `["a", "b"]`; undefined for anything else. */
export function wordList(text: string): string[] | undefined {
  if (!text.startsWith('[')) return undefined;
  try {
    const words: unknown = JSON.parse(text);
    return Array.isArray(words) && words.every((word): word is string => typeof word === 'string') ? words : undefined;
  } catch {
    return undefined;
  }
}

/** Like a shell's, without variables. */
export function splitWords(text: string, bad: Bad): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at] as string;
    if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (letter === '"' || letter === "'") {
      const { value, end } = quoted(text, at, bad);
      word = (word ?? '') + value;
      at = end;
    } else if (letter === '\\') {
      at += 1;
      word = (word ?? '') + (text[at] ?? '');
    } else word = (word ?? '') + letter;
  }
  return word === undefined ? words : [...words, word];
}

function quoted(text: string, from: number, bad: Bad): { readonly value: string; readonly end: number } {
  const quote = text[from];
  let value = '';
  for (let at = from + 1; at < text.length; at += 1) {
    if (text[at] === quote) return { value, end: at };
    // In double quotes a backslash escapes; in single ones it is a letter.
    if (quote === '"' && text[at] === '\\' && /["\\$]/.test(text[at + 1] ?? '')) at += 1;
    value += text[at];
  }
  throw bad('a quote is not closed');
}

/** `K=V K2="V 2"`, or the old form `K V with spaces`. */
export function pairs(text: string, bad: Bad): [string, string][] {
  const old = /^([^\s=]+)\s+([\s\S]+)$/.exec(text);
  if (old?.[1] !== undefined && old[2] !== undefined && !/^["']/.test(text)) return [[old[1], old[2]]];
  return splitWords(text, bad).map((word) => {
    const equals = word.indexOf('=');
    if (equals < 1) throw bad(`"${word}" is not KEY=VALUE`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}
