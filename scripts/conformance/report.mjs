// docs/conformance.md: the scores beside each other, and each test that fails with ours, with its reason.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readResults, score } from './tap.mjs';

const ours = 'rootless-helper';
const reasons = JSON.parse(readFileSync(new URL('reasons.json', import.meta.url), 'utf8'));

/** `suites`: name, version and what it is; `results` has a folder a suite, and in it one a runtime. */
export function report(results, suites) {
  return [
    '# Conformance',
    '',
    readFileSync(new URL('preface.md', import.meta.url), 'utf8').trim(),
    '',
    ...suites.flatMap(({ name, title }) => section(join(results, name), title)),
  ].join('\n');
}

function section(folder, title) {
  const runtimes = readdirSync(folder).sort((a, b) => Number(b === ours) - Number(a === ours) || a.localeCompare(b));
  const all = new Map(runtimes.map((runtime) => [runtime, readResults(join(folder, runtime))]));
  const rows = runtimes.map((runtime) => {
    const { ok, fails, skipped } = score(all.get(runtime));
    return `| ${runtime} | ${ok} | ${fails} | ${skipped} |`;
  });
  const failing = [...all.get(ours)].filter(([, { result }]) => result === 'fails').map(([test]) => test);
  const others = runtimes.filter((runtime) => runtime !== ours);
  const word = (runtime, test) => all.get(runtime).get(test)?.result ?? 'not run';
  return [
    `## ${title}`,
    '',
    '| runtime | passed | failed | skipped |',
    '|---|---|---|---|',
    ...rows,
    '',
    `What fails with ours:`,
    '',
    `| test | ${others.join(' | ')} | reason |`,
    `|---|${others.map(() => '---|').join('')}---|`,
    ...failing.map(
      (test) =>
        `| ${test.replaceAll('|', '\\|')} | ${others.map((runtime) => word(runtime, test)).join(' | ')} | ${reasons[test] ?? 'not looked into'} |`,
    ),
    '',
  ];
}
