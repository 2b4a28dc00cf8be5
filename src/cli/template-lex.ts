/** A Go template as a list of texts and actions; inside an action, as a list of tokens. */

import { BadValue } from './values/bad.ts';

export type Token = {
  readonly kind: 'field' | 'dot' | 'variable' | 'word' | 'string' | 'number' | 'mark';
  /** Without quotes, the dot of a field or the dollar of a variable. */
  readonly text: string;
  /** No space before it: `.A` after `)` belongs to the parenthesis. */
  readonly glued: boolean;
};

export type Piece = { readonly text: string } | { readonly tokens: readonly Token[]; readonly source: string };

const comment = /\{\{(?:- )?\/\*[\s\S]*?\*\/(?: -)?\}\}/y;

/** Text keeps its spaces, except beside `{{- ` and ` -}}`. @throws BadValue */
export function lex(source: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trim = false;
  for (;;) {
    const open = source.indexOf('{{', at);
    const text = source.slice(at, open === -1 ? undefined : open);
    const trimNext = open !== -1 && /^\{\{-\s/.test(source.slice(open, open + 4));
    pieces.push({ text: escapes(trimmed(text, trim, trimNext)) });
    if (open === -1) return pieces;
    comment.lastIndex = open;
    const skipped = comment.exec(source)?.[0];
    const action = skipped === undefined ? lexAction(source, open + 2 + (trimNext ? 1 : 0)) : undefined;
    if (action !== undefined) pieces.push({ tokens: action.tokens, source: source.slice(open, action.end) });
    at = action?.end ?? open + (skipped?.length ?? 0);
    trim = /\s-\}\}$/.test(source.slice(0, at));
  }
}

function trimmed(text: string, left: boolean, right: boolean): string {
  const begun = left ? text.trimStart() : text;
  return right ? begun.trimEnd() : begun;
}

/** docker's: a shell passes `\t` and `\n` on as two characters. */
function escapes(text: string): string {
  return text.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
}

const shapes: readonly (readonly [Token['kind'], RegExp])[] = [
  ['string', /"(?:[^"\\]|\\[\s\S])*"|`[^`]*`|'(?:[^'\\]|\\.)+'/y],
  ['field', /\.[\p{L}_][\p{L}\p{N}_]*(?:-[\p{L}\p{N}_]+)*/uy],
  ['variable', /\$[\p{L}\p{N}_]*/uy],
  ['number', /[+-]?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?)/y],
  ['word', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['dot', /\./y],
  ['mark', /:=|=|\||\(|\)|,/y],
];

function lexAction(source: string, start: number): { readonly tokens: Token[]; readonly end: number } {
  const tokens: Token[] = [];
  for (let at = start, glued = false; ; ) {
    const space = /\s*/y;
    space.lastIndex = at;
    const gap = space.exec(source)?.[0].length ?? 0;
    at += gap;
    glued = gap === 0 && at > start;
    if (at >= source.length) throw new BadValue('template parsing error: unclosed action');
    if (source.startsWith('}}', at)) return { tokens, end: at + 2 };
    if (gap > 0 && source.startsWith('-}}', at)) return { tokens, end: at + 3 };
    const token = next(source, at, glued);
    tokens.push(token.token);
    at = token.end;
  }
}

function next(source: string, at: number, glued: boolean): { readonly token: Token; readonly end: number } {
  for (const [kind, shape] of shapes) {
    shape.lastIndex = at;
    const text = shape.exec(source)?.[0];
    if (text !== undefined) return { token: { kind, text: clean(kind, text), glued }, end: at + text.length };
  }
  throw new BadValue(`template parsing error: unexpected ${JSON.stringify(source[at])} in a template`);
}

function clean(kind: Token['kind'], text: string): string {
  if (kind === 'field' || kind === 'variable') return text.slice(1);
  return kind === 'string' ? unquote(text) : text;
}

const letters: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' };

function unquote(word: string): string {
  const inner = word.slice(1, -1);
  if (word.startsWith('`')) return inner;
  const text = inner.replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))/gs, (_all, two, four, one) =>
    one === undefined ? String.fromCharCode(Number.parseInt(two ?? four, 16)) : (letters[one] ?? one),
  );
  // A character is a number to Go.
  return word.startsWith("'") ? String(text.codePointAt(0)) : text;
}
