/** `rootless validate`: checks documents of the standards and layers, and names every problem by its place and rule. */

import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { command } from './command.ts';
import { checkPath, type Finding, type FoundProblem } from './document-check.ts';
import { formatFlag, render } from './format.ts';
import { print } from './output.ts';
import { plain } from './paint.ts';
import { documentKinds, type RuleInfo, rules } from '../wasm/validate.ts';
import { BadValue } from './values/bad.ts';

const allKinds = [...documentKinds, 'bundle', 'layer'] as const;

export default command({
  name: 'validate',
  flags: {
    kind: {
      type: 'string',
      valueHint: 'KIND',
      parse: parseKind,
      choices: allKinds,
      description: `what it is, if that cannot be told: ${allKinds.join(', ')}`,
    },
    quiet: { type: 'boolean', alias: 'q', description: 'only the exit code' },
    explain: { type: 'string', valueHint: 'RULE', description: 'what a rule demands, and where its specification says so' },
    format: formatFlag,
  },
  words: { usage: 'PATH [PATH...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'file' },
  examples: ['rootless validate ./bundle', 'rootless validate --format json config.json', 'rootless validate --explain mapping-overlap'],
  run: async ({ flags, args, env }) => {
    const paths = findPaths(env);
    if (flags.explain !== undefined) return explain(rules(paths), flags.explain);
    if (args.length === 0)
      throw new RootlessError({
        code: 'ARGUMENTS_WRONG',
        message: '"rootless validate" requires at least 1 argument',
        fix: 'rootless validate PATH [PATH...]',
      });
    const findings: Finding[] = [];
    for (const path of args) findings.push(...(await checkPath(paths, path, flags.kind)));
    const problems = findings.flatMap(({ file, problems: found }) => found.map((problem) => ({ file, ...problem })));
    const { format } = flags;
    if (!flags.quiet) {
      if (format === undefined) print(findings.map(describe).join(''));
      else print(format.kind === 'json' ? `${JSON.stringify(problems, null, 2)}\n` : render(format, problems, 'list'));
    }
    return problems.some(({ level }) => level === 'error') ? 1 : 0;
  },
});

/** One name may stand for a rule of several kinds of documents. */
function explain(all: readonly RuleInfo[], name: string): number {
  const found = all.filter(({ rule }) => rule === name);
  if (found.length === 0) {
    const like = all.map(({ rule }) => rule).filter((rule) => rule.includes(name) || name.includes(rule));
    throw new RootlessError({
      code: 'RULE_UNKNOWN',
      message: `there is no rule "${name}"`,
      fix: like.length > 0 ? `similar: ${[...new Set(like)].join(', ')}` : 'rootless validate names the rule of each problem',
    });
  }
  for (const { kind, level, section, text } of found) {
    const of = kind === 'any' ? 'every document' : kind;
    print(`${name} (${level}, ${of})\n  ${text}\n${section === '' ? '' : `  ${section}\n`}`);
  }
  return 0;
}

function parseKind(text: string): (typeof allKinds)[number] {
  const kind = allKinds.find((one) => one === text);
  if (kind === undefined) throw new BadValue(`"${text}" is not a kind`, { fix: `kinds are ${allKinds.join(', ')}` });
  return kind;
}

function describe({ file, kind, problems }: Finding): string {
  const errors = problems.filter(({ level }) => level === 'error').length;
  const others = problems.length - errors;
  const counts = [errors > 0 ? plural(errors, 'error') : 'valid', ...(others > 0 ? [plural(others, 'remark')] : [])];
  return [`${plain(file)}: ${kind}, ${counts.join(', ')}`, ...problems.map(describeProblem), ''].join('\n');
}

function describeProblem({ path, message, rule, section, level }: FoundProblem): string {
  const source = [rule, section].filter((word) => word !== '').join(', ');
  const mark = level === 'error' ? '' : level === 'warning' ? 'warning: ' : 'note: ';
  return `  ${plain(path)}: ${mark}${plain(message)}\n      ${plain(source)}`;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
