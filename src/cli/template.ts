/** Go's templates as docker users type them, evaluated over plain data. No code is run. */

import { nearest } from './suggest.ts';
import { functions } from './template-functions.ts';
import { type Expression, type Node, parseTemplate, type Template } from './template-parse.ts';
import { entries, failed, show, truth } from './template-values.ts';

export { parseTemplate, type Template };

/** @throws RootlessError TEMPLATE_FAILED: a field that is not there, an index out of range */
export function evaluate(template: Template, data: unknown, clean: (text: string) => string = (text) => text): string {
  return evaluateWith(template, data, { field, call, walk, clean });
}

/** How fields and functions are answered: the heading of a table answers them in its own way. */
export type Answers = {
  readonly field: (value: unknown, name: string) => unknown;
  readonly call: (name: string, args: readonly Expression[], value: (expression: Expression) => unknown) => unknown;
  /** Keys and values of what a range walks over. */
  readonly walk: (value: unknown) => readonly (readonly [unknown, unknown])[];
  /** What is done to a value before it is shown; the text of the template stays as it is. */
  readonly clean: (text: string) => string;
};

export function evaluateWith(template: Template, data: unknown, answers: Answers): string {
  const run = new Run(answers, data);
  run.nodes(template, data);
  return run.text;
}

type Flow = 'break' | 'continue' | undefined;

class Run {
  text = '';
  readonly #answers: Answers;
  /** Innermost last. */
  readonly #variables: { readonly name: string; value: unknown }[];

  constructor(answers: Answers, data: unknown) {
    this.#answers = answers;
    this.#variables = [{ name: '', value: data }];
  }

  nodes(nodes: Template, dot: unknown): Flow {
    const outer = this.#variables.length;
    let flow: Flow;
    for (const node of nodes) {
      flow = this.#node(node, dot);
      if (flow !== undefined) break;
    }
    this.#variables.length = outer;
    return flow;
  }

  #node(node: Node, dot: unknown): Flow {
    switch (node.kind) {
      case 'text':
        this.text += node.text;
        return undefined;
      case 'value':
        this.text += this.#answers.clean(show(this.#value(node.value, dot)));
        return undefined;
      case 'set':
        this.#set(node.name, this.#value(node.value, dot), node.declare);
        return undefined;
      case 'range':
        return this.#range(node, dot);
      case 'if':
      case 'with': {
        const value = this.#value(node.value, dot);
        if (!truth(value)) return this.nodes(node.otherwise, dot);
        return this.#inside(node.names, [value], () => this.nodes(node.body, node.kind === 'with' ? value : dot));
      }
      default:
        return node.kind;
    }
  }

  #range(node: Extract<Node, { readonly kind: 'if' | 'with' | 'range' }>, dot: unknown): Flow {
    const items = this.#answers.walk(this.#value(node.value, dot));
    if (items.length === 0) return this.nodes(node.otherwise, dot);
    for (const [key, item] of items) {
      const values = node.names.length === 1 ? [item] : [key, item];
      if (this.#inside(node.names, values, () => this.nodes(node.body, item)) === 'break') break;
    }
    return undefined;
  }

  #inside(names: readonly string[], values: readonly unknown[], work: () => Flow): Flow {
    const outer = this.#variables.length;
    this.#variables.push(...names.map((name, at) => ({ name, value: values[at] })));
    const flow = work();
    this.#variables.length = outer;
    return flow;
  }

  #set(name: string, value: unknown, declare: boolean): void {
    const known = this.#variables.findLast((variable) => variable.name === name);
    if (declare || known === undefined) this.#variables.push({ name, value });
    else known.value = value;
  }

  #value(expression: Expression, dot: unknown): unknown {
    switch (expression.kind) {
      case 'literal':
        return expression.value;
      case 'dot':
        return dot;
      case 'variable':
        return this.#variables.findLast(({ name }) => name === expression.name)?.value;
      case 'field':
        return called(this.#answers.field(this.#value(expression.of, dot), expression.name), expression.name, []);
      case 'method': {
        const args = expression.args.map((inner) => this.#value(inner, dot));
        return called(this.#answers.field(this.#value(expression.of, dot), expression.name), expression.name, args);
      }
      default:
        return this.#answers.call(expression.name, expression.args, (inner) => this.#value(inner, dot));
    }
  }
}

/** A function in the data is a method of the row: docker's `.Label`. */
function called(found: unknown, name: string, args: readonly unknown[]): unknown {
  if (typeof found !== 'function' && args.length === 0) return found;
  if (typeof found !== 'function') throw failed(`${name} is not a method but has arguments`);
  if (found.length !== args.length) throw failed(`wrong number of arguments for ${name}: want ${found.length} got ${args.length}`);
  return found(...args);
}

/** Whether a template looks at a field of that name, wherever: what is dear to find out is found out for those only. */
export function mentions(template: Template, name: string): boolean {
  return JSON.stringify(template).includes(`"name":${JSON.stringify(name)}`);
}

/** A number is walked from 0, as Go 1.22 does. */
function walk(value: unknown): [unknown, unknown][] {
  if (value === null || value === undefined || value === '') return [];
  if (Array.isArray(value)) return value.map((item, at) => [at, item]);
  if (typeof value === 'object') return entries(value);
  if (typeof value === 'number') return Array.from({ length: Math.max(0, Math.min(value, 1_000_000)) }, (_, at) => [at, at]);
  throw failed(`range cannot walk ${show(value)}`);
}

/** A field that no data has is a mistake; one without value is `<no value>`, and so is a label that is not there. */
function field(value: unknown, name: string): unknown {
  if (value === null || value === undefined) throw failed(`nil has no field "${name}"`);
  if (typeof value !== 'object' || Array.isArray(value)) throw failed(`can't evaluate field ${name} in ${show(value)}`);
  if (Object.hasOwn(value, name)) return (value as Record<string, unknown>)[name];
  const names = Object.keys(value);
  // A map of names that people chose (labels, ports), not a structure of ours: there any of them may be missing.
  if (names.length === 0 || names.some((known) => !/^[A-Z]/.test(known))) return undefined;
  const close = nearest(name, names);
  throw failed(
    `can't evaluate field ${name}`,
    close === undefined ? (names.length === 0 ? undefined : `fields are ${names.slice(0, 40).join(', ')}`) : `did you mean ".${close}"?`,
  );
}

/** `and` and `or` stop at the first value that decides. */
function call(name: string, args: readonly Expression[], value: (expression: Expression) => unknown): unknown {
  if (name !== 'and' && name !== 'or') return functions[name]?.(args.map(value));
  let result: unknown;
  for (const expression of args) {
    result = value(expression);
    if (truth(result) === (name === 'or')) break;
  }
  return result;
}
