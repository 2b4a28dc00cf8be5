/** Go templates (text/template): the grammar. */

import { functions } from './template-functions.ts';
import { lex, type Piece, type Token } from './template-lex.ts';
import { BadValue } from './values/bad.ts';

export type Expression =
  | { readonly kind: 'literal'; readonly value: unknown }
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'field'; readonly of: Expression; readonly name: string }
  /** docker's `.Label "key"`. */
  | { readonly kind: 'method'; readonly of: Expression; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] };

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly value: Expression }
  | { readonly kind: 'set'; readonly name: string; readonly value: Expression; readonly declare: boolean }
  | {
      readonly kind: 'if' | 'with' | 'range';
      /** Names of `$v :=` or `$k, $v :=`. */
      readonly names: readonly string[];
      readonly value: Expression;
      readonly body: Template;
      readonly otherwise: Template;
    }
  | { readonly kind: 'break' | 'continue' };

export type Template = readonly Node[];

/** @throws BadValue with what is wrong and where. */
export function parseTemplate(source: string): Template {
  return new Parser(lex(source)).whole();
}

class Parser {
  readonly #pieces: readonly Piece[];
  #at = 0;
  /** Names that are known here: `$` is the data itself. */
  #known: string[] = [''];
  #loops = 0;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
  }

  whole(): Template {
    const { nodes, ended } = this.#nodes();
    if (ended !== undefined) throw new BadValue(`template parsing error: unexpected ${ended.source}`);
    return nodes;
  }

  /** Up to `{{end}}`, `{{else…}}` or the end of the text, and which it was. */
  #nodes(): { readonly nodes: Node[]; readonly ended: Action | undefined } {
    const nodes: Node[] = [];
    while (this.#at < this.#pieces.length) {
      const piece = this.#pieces[this.#at++] as Piece;
      if ('text' in piece) {
        if (piece.text !== '') nodes.push({ kind: 'text', text: piece.text });
        continue;
      }
      const action = new Action(piece.tokens, piece.source, this.#known);
      const word = action.peek()?.kind === 'word' ? (action.peek()?.text ?? '') : '';
      if (word === 'end' || word === 'else') return { nodes, ended: action };
      nodes.push(this.#node(action, word));
    }
    return { nodes, ended: undefined };
  }

  #node(action: Action, word: string): Node {
    if (word === 'if' || word === 'with' || word === 'range') {
      action.take();
      return this.#block(action, word);
    }
    if (word === 'break' || word === 'continue') {
      if (this.#loops === 0) throw action.wrong(`{{${word}}} outside {{range}}`);
      action.take();
      action.finish();
      return { kind: word };
    }
    const target = action.target();
    const value = action.pipeline();
    action.finish();
    if (target === undefined) return { kind: 'value', value };
    if (target.declare) this.#known.push(target.name);
    else if (!this.#known.includes(target.name)) throw action.wrong(`undefined variable "$${target.name}"`);
    return { kind: 'set', value, ...target };
  }

  #block(action: Action, kind: 'if' | 'with' | 'range'): Node {
    const outer = this.#known;
    const names = action.declared(kind === 'range' ? 2 : 1);
    const value = action.pipeline();
    action.finish();
    this.#known = [...outer, ...names];
    this.#loops += kind === 'range' ? 1 : 0;
    const { nodes: body, ended } = this.#nodes();
    this.#loops -= kind === 'range' ? 1 : 0;
    if (ended === undefined) throw new BadValue(`template parsing error: ${action.source} has no {{end}}`);
    const otherwise = ended.take()?.text === 'else' ? this.#otherwise(action, ended) : [];
    this.#known = outer;
    return { kind, names, value, body, otherwise };
  }

  /** `{{else}}…{{end}}`, or `{{else if …}}`, which shares its end. */
  #otherwise(opened: Action, action: Action): Template {
    const word = action.peek()?.text;
    if (word === 'if' || word === 'with') {
      action.take();
      return [this.#block(action, word)];
    }
    action.finish();
    const { nodes, ended } = this.#nodes();
    if (ended?.take()?.text !== 'end') throw new BadValue(`template parsing error: ${opened.source} has no {{end}}`);
    return nodes;
  }
}

/** The tokens between `{{` and `}}`. */
class Action {
  readonly source: string;
  readonly #tokens: readonly Token[];
  readonly #known: readonly string[];
  #at = 0;

  constructor(tokens: readonly Token[], source: string, known: readonly string[]) {
    this.#tokens = tokens;
    this.source = source;
    this.#known = known;
  }

  peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#at + ahead];
  }

  take(): Token | undefined {
    return this.#tokens[this.#at++];
  }

  finish(): void {
    const left = this.peek();
    if (left !== undefined) throw this.wrong(`unexpected "${left.text}" in ${this.source}`);
  }

  wrong(text: string, fix?: string): BadValue {
    return new BadValue(`template parsing error: ${text}`, fix === undefined ? {} : { fix });
  }

  /** `$x :=` and `$x =`. */
  target(): { readonly name: string; readonly declare: boolean } | undefined {
    const mark = this.peek(1)?.text;
    if (this.peek()?.kind !== 'variable' || this.peek(1)?.kind !== 'mark' || (mark !== ':=' && mark !== '=')) return undefined;
    const name = this.take()?.text ?? '';
    this.take();
    return { name, declare: mark === ':=' };
  }

  /** `$v :=`, and `$k, $v :=` of a range. */
  declared(most: number): string[] {
    const end = this.#tokens.findIndex(({ kind, text }) => kind === 'mark' && text === ':=');
    if (end === -1) return [];
    const names = this.#tokens.slice(this.#at, end).filter(({ text }) => text !== ',');
    if (names.length === 0 || names.length > most || names.some(({ kind }) => kind !== 'variable')) {
      throw this.wrong(`wrong variables in ${this.source}`);
    }
    this.#at = end + 1;
    return names.map(({ text }) => text);
  }

  /** Commands joined by `|`: each gets the value before it as its last argument. */
  pipeline(): Expression {
    let value = this.#command(undefined);
    while (this.peek()?.kind === 'mark' && this.peek()?.text === '|') {
      this.take();
      value = this.#command(value);
    }
    return value;
  }

  #command(before: Expression | undefined): Expression {
    const first = this.peek();
    const isCall = first?.kind === 'word' && !(first.text in constants);
    if (!isCall) {
      const value = this.#operand();
      if (before === undefined && !this.#hasOperand()) return value;
      if (value.kind !== 'field') throw this.wrong(`"${first?.text ?? ''}" in ${this.source} is not a function`);
      return { kind: 'method', of: value.of, name: value.name, args: this.#args(before) };
    }
    this.take();
    const { text: name } = first;
    if (functions[name] === undefined) {
      throw this.wrong(`function "${name}" not defined`, `fields begin with a dot; functions are ${Object.keys(functions).join(', ')}`);
    }
    return { kind: 'call', name, args: this.#args(before) };
  }

  /** What stands after a function; the value before the `|` comes last. */
  #args(before: Expression | undefined): Expression[] {
    const args: Expression[] = [];
    while (this.#hasOperand()) {
      if (this.peek()?.glued) throw this.wrong(`unexpected "${this.peek()?.text}" in ${this.source}`);
      args.push(this.#operand());
    }
    return before === undefined ? args : [...args, before];
  }

  #hasOperand(): boolean {
    const token = this.peek();
    return token !== undefined && (token.kind !== 'mark' || token.text === '(');
  }

  #operand(): Expression {
    let value = this.#primary();
    while (this.peek()?.kind === 'field' && this.peek()?.glued) value = { kind: 'field', of: value, name: this.take()?.text ?? '' };
    return value;
  }

  #primary(): Expression {
    const token = this.take();
    if (token === undefined) throw this.wrong(`missing value in ${this.source}`);
    const { kind, text } = token;
    if (kind === 'dot') return { kind: 'dot' };
    if (kind === 'field') return { kind: 'field', of: { kind: 'dot' }, name: text };
    if (kind === 'string') return { kind: 'literal', value: text };
    if (kind === 'number') return { kind: 'literal', value: Number(text) };
    if (kind === 'variable') {
      if (!this.#known.includes(text)) throw this.wrong(`undefined variable "$${text}"`);
      return { kind: 'variable', name: text };
    }
    if (kind === 'word' && text in constants) return { kind: 'literal', value: constants[text] };
    // A function without arguments, as in `and (println) .A`.
    if (kind === 'word' && functions[text] !== undefined) return { kind: 'call', name: text, args: [] };
    if (text !== '(') throw this.wrong(`unexpected "${text}" in ${this.source}`);
    const inner = this.pipeline();
    if (this.take()?.text !== ')') throw this.wrong(`unclosed "(" in ${this.source}`);
    return inner;
  }
}

const constants: Readonly<Record<string, unknown>> = Object.assign(Object.create(null), { true: true, false: false, nil: null });
