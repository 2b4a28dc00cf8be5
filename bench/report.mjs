// The one table of a benchmark run, on the terminal and in docs/benchmarks.md.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

const header = ['what', 'measured', 'beside it', 'measured', 'ratio', 'wanted', ''];

export function printReport(results) {
  const rows = [header, ...results.map(cells)];
  const widths = header.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    );
}

export function writeReport(results) {
  const table = [header, header.map(() => '---'), ...results.map(cells)].map((row) => `| ${row.join(' | ')} |`).join('\n');
  const text = `# Benchmarks

\`npm run bench -- --write\` made this page: what is installed on one machine, side by side, as an unprivileged user, medians. Rounds alternate
between the commands, so that noise hits all alike. Read the ratios; the milliseconds belong to the machine.

${table}

Machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, kernel ${release()}.
Versions: ${versions().join(', ')}.
`;
  writeFileSync(fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url)), text);
}

const units = {
  ms: (number) => `${(number * 1000).toFixed(1)} ms`,
  step: (number) => `${(number * 1000).toFixed(2)} ms`,
  us: (number) => `${(number * 1e6).toFixed(0)} us`,
  bits: (number) => `${(number / 1e9).toFixed(1)} Gbit/s`,
};

function cells({ name, value, peer = '', other, unit, ratio, least, plus, limit, note }) {
  const show = (number) => {
    if (number === undefined) return 'not here';
    return units[unit]?.(number) ?? `${(number / 1024).toFixed(0)} KiB`;
  };
  const share = other === undefined || value === undefined ? '' : (value / other).toFixed(2);
  const { words, met } = wanted({ value, other, ratio, least, plus, limit, show });
  return [note ? `${name} (${note})` : name, show(value), peer, peer === '' ? '' : show(other), share, words, met];
}

/** What was asked of it, and whether it is so; `least`: more is better. */
function wanted({ value, other, ratio, least, plus, limit, show }) {
  const verdict = (known, holds) => (value === undefined || known === undefined ? '' : holds ? 'yes' : 'no');
  if (least !== undefined) return { words: `at least ${least}`, met: verdict(other, value >= other * least) };
  if (ratio !== undefined) return { words: `at most ${ratio}`, met: verdict(other, value <= other * ratio) };
  if (plus !== undefined) return { words: `+${plus * 1000} ms`, met: verdict(other, value <= other + plus) };
  return limit === undefined ? { words: '', met: '' } : { words: `under ${show(limit)}`, met: verdict(limit, value <= limit) };
}

function versions() {
  const first = (program, args = ['--version']) => spawnSync(program, args, { encoding: 'utf8' }).stdout?.split('\n')[0]?.trim() ?? '';
  const peers = ['crun', 'runc', 'podman', 'umoci', 'bwrap'].map((program) => first(program)).filter((line) => line !== '');
  return [`Node ${process.versions.node}`, ...peers];
}
