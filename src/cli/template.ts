/** The part of Go's templates that docker users type: fields, `json`, a few functions, range, if, with. No code is run. */

import { BadValue } from './values/bad.ts';

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly path: readonly string[]; readonly calls: readonly Call[] }
  | { readonly kind: 'range' | 'if' | 'with'; readonly path: readonly string[]; readonly body: Template; readonly otherwise: Template };

export type Template = readonly Node[];

/** A function and its literal arguments; the value comes last, as in a Go pipeline. */
type Call = { readonly name: string; readonly literals: readonly (string | number)[] };

type Token = { readonly text: string } | { readonly action: string };

const functions: Readonly<Record<string, (value: unknown, literals: readonly (string | number)[]) => unknown>> = Object.assign(
  Object.create(null),
  {
    json: (value: unknown) => JSON.stringify(value ?? null),
    upper: (value: unknown) => show(value).toUpperCase(),
    lower: (value: unknown) => show(value).toLowerCase(),
    len: (value: unknown) => length(value),
    join: (value: unknown, [separator = '']: readonly (string | number)[]) =>
      Array.isArray(value) ? value.map(show).join(String(separator)) : show(value),
    truncate: (value: unknown, [count = 0]: readonly (string | number)[]) => show(value).slice(0, Number(count)),
    println: (value: unknown) => `${show(value)}\n`,
    index: (value: unknown, keys: readonly (string | number)[]) => keys.reduce((at, key) => step(at, String(key)), value),
  },
);

/** @throws BadValue with what is wrong and where. */
export function parseTemplate(source: string): Template {
  const tokens = tokenize(source);
  const { nodes, rest, ended } = parseNodes(tokens);
  if (ended !== '') throw new BadValue(`template parsing error: unexpected {{${ended}}}`);
  return rest.length === 0 ? nodes : [];
}

/** Fields that do not exist are shown as Go shows them. */
export function evaluate(template: Template, data: unknown): string {
  return template.map((node) => evaluateNode(node, data)).join('');
}

function evaluateNode(node: Node, data: unknown): string {
  if (node.kind === 'text') return node.text;
  const value = node.path.reduce(step, data);
  if (node.kind === 'value') return show(node.calls.reduce((at, { name, literals }) => functions[name]?.(at, literals), value));
  if (node.kind === 'range') {
    const items = Array.isArray(value) ? value : value !== null && typeof value === 'object' ? Object.values(value) : [];
    return items.length === 0 ? evaluate(node.otherwise, data) : items.map((item) => evaluate(node.body, item)).join('');
  }
  const truth = length(value) > 0;
  return evaluate(truth ? node.body : node.otherwise, truth && node.kind === 'with' ? value : data);
}

function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    const open = source.indexOf('{{', at);
    tokens.push({ text: source.slice(at, open === -1 ? undefined : open) });
    if (open === -1) return tokens;
    const close = source.indexOf('}}', open);
    if (close === -1) throw new BadValue('template parsing error: unclosed action');
    const inner = source.slice(open + 2, close);
    tokens.push({ action: inner.replace(/^-\s/, '').replace(/\s-$/, '').trim() });
    at = close + 2;
  }
}

/** Reads up to `{{end}}`, `{{else}}` or the end of the text, and says which it was. */
function parseNodes(tokens: readonly Token[]): { nodes: Node[]; rest: readonly Token[]; ended: '' | 'end' | 'else' } {
  const nodes: Node[] = [];
  let left = tokens;
  for (;;) {
    const [token, ...rest] = left;
    left = rest;
    if (token === undefined) return { nodes, rest, ended: '' };
    if ('text' in token) {
      if (token.text !== '') nodes.push({ kind: 'text', text: token.text });
      continue;
    }
    if (token.action === 'end' || token.action === 'else') return { nodes, rest, ended: token.action };
    const opened = /^(range|if|with)\s+(.*)$/.exec(token.action);
    if (opened === null) {
      nodes.push(parseValue(token.action));
      continue;
    }
    const body = parseNodes(left);
    const other = body.ended === 'else' ? parseNodes(body.rest) : { nodes: [], rest: body.rest, ended: body.ended };
    if (other.ended !== 'end') throw new BadValue(`template parsing error: {{${token.action}}} has no {{end}}`);
    const kind = opened[1] === 'range' ? 'range' : opened[1] === 'if' ? 'if' : 'with';
    nodes.push({ kind, path: parsePath(opened[2] as string), body: body.nodes, otherwise: other.nodes });
    left = other.rest;
  }
}

/** `.A.B`, `json .A`, `join .A ", "`, `index .A "key"`, `.A | json | upper`. */
function parseValue(action: string): Node {
  const [first = '', ...pipes] = action.split('|').map((part) => part.trim());
  const words = split(first);
  const field = words.find((word) => word.startsWith('.'));
  if (field === undefined)
    throw new BadValue(`template parsing error: {{${action}}} names no field`, { fix: 'fields begin with a dot: {{.ID}}' });
  const before = words[0] === field ? [] : [parseCall(words.filter((word) => word !== field))];
  return { kind: 'value', path: parsePath(field), calls: [...before, ...pipes.map((pipe) => parseCall(split(pipe)))] };
}

function parseCall(words: readonly string[]): Call {
  const [name = '', ...literals] = words;
  if (functions[name] === undefined) {
    throw new BadValue(`template parsing error: function "${name}" not defined`, {
      fix: `functions are ${Object.keys(functions).join(', ')}`,
    });
  }
  return { name, literals: literals.map((word) => (word.startsWith('"') ? unquote(word) : Number(word))) };
}

function split(text: string): string[] {
  return text.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? [];
}

function unquote(word: string): string {
  try {
    return String(JSON.parse(word));
  } catch {
    throw new BadValue(`template parsing error: bad string ${word}`);
  }
}

function parsePath(text: string): string[] {
  if (!/^\.([\w-]+(\.[\w-]+)*)?$/.test(text)) throw new BadValue(`template parsing error: "${text}" is not a field`);
  return text.split('.').filter((word) => word !== '');
}

function step(value: unknown, key: string): unknown {
  return value !== null && typeof value === 'object' && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

function length(value: unknown): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  if (value !== null && typeof value === 'object') return Object.keys(value).length;
  return value ? 1 : 0;
}

function show(value: unknown): string {
  if (value === undefined || value === null) return '<no value>';
  if (Array.isArray(value)) return `[${value.map(show).join(' ')}]`;
  if (typeof value === 'object')
    return `map[${Object.entries(value)
      .map(([key, item]) => `${key}:${show(item)}`)
      .join(' ')}]`;
  return String(value);
}
