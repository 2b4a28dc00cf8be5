// Runs the suite of another runtime against runtimes on this machine, and writes docs/conformance.md from what it says.
//
//   node scripts/conformance.mjs run runc|crun CHECKOUT RESULTS NAME=PATH…     as root: the tests run as the user of $ROOTLESS_TEST_USER
//   node scripts/conformance.mjs report RESULTS
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { report } from './conformance/report.mjs';
import { inLook } from './conformance/look.mjs';

const suites = {
  runc: {
    title: 'runc 1.5.1, tests/integration',
    folder: 'tests/integration',
    pattern: /\.bats$/,
    without: /^(checkpoint|selinux|mounts_sshfs|cgroups|events|update)\./,
  },
  crun: { title: 'crun 1.29.1, tests', folder: 'tests', pattern: /^test_.*\.py$/, without: /^$/ },
};
/** A file that hangs is given up after this. */
const patience = 300_000;

const [verb, ...rest] = process.argv.slice(2);
if (verb === 'run' && rest.length >= 4) run(...rest);
else if (verb === 'report' && rest.length === 1) {
  process.stdout.write(
    report(
      rest[0],
      Object.entries(suites).map(([name, { title }]) => ({ name, title })),
    ),
  );
} else {
  console.error('usage: conformance.mjs run runc|crun CHECKOUT RESULTS NAME=PATH…, or report RESULTS');
  process.exit(2);
}

function run(name, checkout, results, ...runtimes) {
  const { folder, pattern, without } = suites[name];
  const tests = join(resolve(checkout), folder);
  const input = endless();
  for (const [runtime, path] of runtimes.map((one) => one.split('='))) {
    const to = join(results, name, runtime);
    mkdirSync(to, { recursive: true });
    for (const file of readdirSync(tests)
      .filter((one) => pattern.test(one) && !without.test(one))
      .sort()) {
      const { command, env, where } = invocation(name, file, resolve(path), tests);
      const options = { cwd: where, encoding: 'utf8', timeout: patience, maxBuffer: 1 << 28, stdio: [input, 'pipe', 'ignore'] };
      const { stdout } = spawnSync(...inLook(command, env, where), options);
      writeFileSync(join(to, `${file}.tap`), stdout ?? '');
      console.error(`${runtime} ${file}`);
    }
  }
}

/** A pipe that nobody writes to: at the end of its input `script` would type one into the terminal. */
function endless() {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  const pipe = join(folder, 'input');
  spawnSync('mkfifo', [pipe]);
  const fd = openSync(pipe, 'r+');
  rmSync(folder, { recursive: true });
  return fd;
}

/** runc's tests want a terminal; crun's a static program, `init` beside them, and a folder to write to. */
function invocation(name, file, runtime, tests) {
  if (name === 'crun')
    return { command: ['python3', join(tests, file)], env: { OCI_RUNTIME: runtime, INIT: join(tests, 'init') }, where: tmpdir() };
  const command = ['script', '-qefc', `bats --tap ${file}`, '/dev/null'];
  return { command, env: { RUNC: runtime, ROOTLESS_FEATURES: 'idmap+cgroup' }, where: tests };
}
