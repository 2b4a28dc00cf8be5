// Runs the suite of another runtime against runtimes on this machine, and writes docs/conformance.md from what it says.
//
//   node scripts/conformance.mjs run runc|crun CHECKOUT RESULTS NAME=PATH…     as root: the tests run as the user of $ROOTLESS_TEST_USER
//   node scripts/conformance.mjs report RESULTS
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
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
  for (const [runtime, path] of runtimes.map((one) => one.split('='))) {
    const to = join(results, name, runtime);
    mkdirSync(to, { recursive: true });
    for (const file of readdirSync(tests)
      .filter((one) => pattern.test(one) && !without.test(one))
      .sort()) {
      const { command, env } = invocation(name, file, resolve(path));
      const { stdout } = spawnSync(...inLook(command, env, tests), { cwd: tests, encoding: 'utf8', timeout: patience, maxBuffer: 1 << 28 });
      writeFileSync(join(to, `${file}.tap`), stdout ?? '');
      console.error(`${runtime} ${file}`);
    }
  }
}

/** runc's tests want a terminal; crun's a static program, `init` beside them. */
function invocation(name, file, runtime) {
  if (name === 'crun') return { command: ['python3', file], env: { OCI_RUNTIME: runtime, INIT: resolve('init') } };
  const command = ['script', '-qefc', `bats --tap ${file}`, '/dev/null'];
  return { command, env: { RUNC: runtime, ROOTLESS_FEATURES: 'idmap+cgroup' } };
}
