// The Rust workspace: rustfmt, clippy with warnings denied, and its tests, native.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { explainPackages, installPackages } from '../packages.mjs';
import { top } from '../setup.mjs';

const manifest = ['--manifest-path', join(top, 'helper-rs/Cargo.toml')];
const env = { ...process.env, PATH: `${join(homedir(), '.cargo/bin')}:${process.env.PATH}`, CARGO_TERM_COLOR: 'never' };

export function testRust(tally) {
  console.log('rust');
  for (const tool of ['fmt', 'clippy']) if (!hasTool(tool)) getTool(tool);
  one(tally, 'rustfmt', ['fmt', ...manifest, '--all', '--check']);
  one(tally, 'clippy', ['clippy', '-q', ...manifest, '--workspace', '--all-targets', '--', '-D', 'warnings']);
  cargoTest(tally);
}

function one(tally, name, args) {
  const { status, output, seconds } = cargo(args);
  if (status === 0) tally.pass(name, seconds);
  else tally.fail(name, output);
}

/** `test result: ok. 12 passed; 0 failed; 0 ignored; …` once a test binary. The fuzzers run for as long as they are told (`npm run bench -- fuzz`). */
function cargoTest(tally) {
  const { status, output, seconds } = cargo(['test', '-q', ...manifest, '--workspace', '--', '--skip', 'fuzz::']);
  const results = [...output.matchAll(/test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/g)];
  const sum = (column) => results.reduce((total, row) => total + Number(row[column]), 0);
  if (sum(1) > 0) tally.pass('cargo test', seconds, sum(1));
  if (sum(3) > 0) tally.skip('cargo test', 'tests marked #[ignore]', sum(3));
  if (status !== 0 || sum(2) > 0) tally.fail('cargo test', output, Math.max(1, sum(2)));
  else if (sum(1) === 0) tally.fail('cargo test', `no test ran\n${output}`);
}

function hasTool(tool) {
  return spawnSync('cargo', [tool, '--version'], { env, stdio: 'ignore' }).status === 0;
}

/** rustup's component if rustup made the toolchain, else the distribution's package of the same version. */
function getTool(tool) {
  const component = { fmt: 'rustfmt', clippy: 'clippy' }[tool];
  if (existsSync(join(homedir(), '.cargo/bin/rustup'))) {
    spawnSync('rustup', ['component', 'add', component], { env, stdio: ['ignore', 'ignore', 'inherit'] });
  } else {
    const web = spawnSync('dpkg-query', ['-W', 'rustc-web'], { stdio: 'ignore' }).status === 0;
    const names = web ? { fmt: 'rustfmt-web', clippy: 'rust-web-clippy' } : { fmt: 'rustfmt', clippy: 'rust-clippy' };
    const missing = installPackages([[names[tool], `cargo-${tool}`, `cargo ${tool}`]]);
    if (missing.length > 0) throw new Error(`cargo ${tool} is missing\n${explainPackages(missing)}`);
  }
  if (!hasTool(tool)) throw new Error(`cargo ${tool} is missing and could not be installed`);
}

function cargo(args) {
  const begun = performance.now();
  const run = spawnSync('cargo', args, { cwd: top, env, encoding: 'utf8', maxBuffer: 1 << 28, timeout: 20 * 60_000 });
  const output = `${run.stdout ?? ''}${run.stderr ?? ''}${run.error ? run.error.message : ''}`;
  return { status: run.status, output, seconds: (performance.now() - begun) / 1000 };
}
