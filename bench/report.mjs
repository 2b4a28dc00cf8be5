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

function cells({ name, value, peer = '', other, unit, ratio, plus, limit, note }) {
  const show = (number) =>
    number === undefined ? 'not here' : unit === 'ms' ? `${(number * 1000).toFixed(1)} ms` : `${(number / 1024).toFixed(0)} KiB`;
  const share = other === undefined || value === undefined ? '' : (value / other).toFixed(2);
  const wanted =
    ratio !== undefined
      ? `at most ${ratio}`
      : plus !== undefined
        ? `+${plus * 1000} ms`
        : limit !== undefined
          ? `under ${show(limit)}`
          : '';
  const top = ratio !== undefined ? other * ratio : plus !== undefined ? other + plus : limit;
  const verdict = top === undefined || Number.isNaN(top) || value === undefined ? '' : value <= top ? 'yes' : 'no';
  return [note ? `${name} (${note})` : name, show(value), peer, peer === '' ? '' : show(other), share, wanted, verdict];
}

function versions() {
  const first = (program, args = ['--version']) => spawnSync(program, args, { encoding: 'utf8' }).stdout?.split('\n')[0]?.trim() ?? '';
  const peers = ['crun', 'runc', 'podman', 'umoci', 'bwrap'].map((program) => first(program)).filter((line) => line !== '');
  return [`Node ${process.versions.node}`, ...peers];
}
