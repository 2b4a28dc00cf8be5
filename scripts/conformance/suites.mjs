// The public suites: which files or groups of tests they have, and how one is run against a runtime.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const user = process.env.ROOTLESS_TEST_USER ?? 'rootless-ci';

/** One test of this group ends all of it where a cgroup has no controllers. */
const some = {
  exec: `exec::${[
    ...['capabilities_by_flag_test_case1', 'capabilities_by_flag_test_case2', 'ignore_paused_test', 'mount_test', 'new_privileges_test'],
    ...['no_capabilities_test', 'preserve_fds_test', 'some_capabilities_test', 'unset_bounding_capabilities_test'],
  ]}`,
};

/** `parts(checkout)` names them; `command(part, runtime, checkout)` is what to run, with which variables, where, and as whom; `systemd`: what asks it for that manager. */
export const suites = {
  runc: {
    title: 'runc 1.5.1, tests/integration, as a user',
    systemd: { RUNC_USE_SYSTEMD: 'yes' },
    parts: (checkout) => files(join(checkout, 'tests/integration'), /\.bats$/),
    // They want a terminal. `crun spec --rootless` writes no mapping that the suite could extend.
    command: (file, runtime, checkout) => ({
      command: ['script', '-qefc', `bats --tap ${file}`, '/dev/null'],
      env: { RUNC: runtime, ROOTLESS_FEATURES: basename(runtime) === 'crun' ? 'cgroup' : 'idmap+cgroup' },
      where: join(checkout, 'tests/integration'),
      as: user,
    }),
  },
  crun: {
    title: 'crun 1.29.1, tests, as a user',
    systemd: { CGROUP_MANAGER: 'systemd' },
    parts: (checkout) => files(join(checkout, 'tests'), /^test_.*\.py$/),
    // A static program, `init` beside them, and a folder to write to.
    command: (file, runtime, checkout) => ({
      command: ['python3', join(checkout, 'tests', file)],
      env: { OCI_RUNTIME: runtime, INIT: join(checkout, 'tests/init') },
      where: tmpdir(),
      as: user,
    }),
  },
  'runtime-tools': {
    title: 'runtime-tools 0.9.0 (5e63903), validation, as root',
    parts: (checkout) => readdirSync(join(checkout, 'validation')).filter((name) => name !== 'util' && !name.startsWith('.')),
    command: (name, runtime, checkout) => ({
      command: [join(checkout, 'validation', name, `${name}.t`)],
      env: { RUNTIME: runtime },
      where: checkout,
      as: 'root',
    }),
  },
  youki: {
    title: 'youki (bc78720), contest, as root',
    parts: (checkout) => spawnSync(join(checkout, 'contest'), ['list'], { cwd: checkout, encoding: 'utf8' }).stdout.trim().split('\n'),
    // Its list of what a runtime may lack is made for runc and for itself.
    command: (group, runtime, checkout) => ({
      command: [
        join(checkout, 'contest'),
        'run',
        '--runtime',
        runtime,
        '--runtimetest',
        join(checkout, 'runtimetest'),
        '-t',
        some[group] ?? group,
      ],
      env: { RUNTIME_KIND: 'runc' },
      where: checkout,
      as: 'root',
    }),
  },
};

function files(folder, pattern) {
  return readdirSync(folder).filter((name) => pattern.test(name));
}
