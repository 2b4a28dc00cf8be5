// Where benchmarks run: as an unprivileged user in a private folder, with a delegated cgroup v2 tree if root can make one.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { debianArchive } from '../scripts/test/debian.mjs';
import { ensureUser, privateCopy } from '../scripts/test/user.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const inside = (sections) => ['--inside', ...sections];

/** A private mount namespace in which /sys/fs/cgroup is cgroup v2 with a subtree of the user's, then the command as that user. */
const look = `set -e
mount --make-rprivate /
while umount -R /sys/fs/cgroup 2>/dev/null; do :; done
mount -t cgroup2 none /sys/fs/cgroup
mkdir -p /sys/fs/cgroup/rootless-bench/leaf
chown -R "$1:" /sys/fs/cgroup/rootless-bench
echo $$ > /sys/fs/cgroup/rootless-bench/leaf/cgroup.procs
shift
status=0
"$@" || status=$?
# podman leaves processes behind.
echo $$ > /sys/fs/cgroup/cgroup.procs
echo 1 > /sys/fs/cgroup/rootless-bench/cgroup.kill
for _ in 1 2 3 4 5 6 7 8 9; do find /sys/fs/cgroup/rootless-bench -depth -type d -exec rmdir {} + 2>/dev/null && break; sleep 0.2; done
exit $status`;

/** Runs sections of this benchmark as the user; returns stdout. */
export function asBenchUser(sections) {
  const debian = debianArchive();
  if (process.getuid() !== 0) {
    return must(process.execPath, [join(here, 'bench.mjs'), ...inside(sections)], { ...process.env, ROOTLESS_TEST_DEBIAN: debian });
  }
  const user = ensureUser(process.env.ROOTLESS_TEST_USER ?? 'rootless-ci', true);
  const empty = join(here, '../.cache/empty');
  mkdirSync(empty, { recursive: true });
  const copy = privateCopy(user, empty, debian);
  try {
    const checkout = copy.env.ROOTLESS_CHECKOUT;
    for (const name of ['bench', 'scripts']) cpSync(join(here, '..', name), join(checkout, name), { recursive: true });
    // As a package installs it, and the peers are: of root's. A helper of the user's own seals itself first, which takes time.
    copy.env.ROOTLESS_BENCH_INSTALLED = join(dirname(checkout), 'rootless-helper');
    cpSync(join(here, '../dist/rootless-helper'), copy.env.ROOTLESS_BENCH_INSTALLED);
    const [runuser, args] = copy.as([copy.node, join(checkout, 'bench/bench.mjs'), ...inside(sections)]);
    return must('unshare', ['-m', 'bash', '-c', look, 'bash', user.name, runuser, ...args], copy.env);
  } finally {
    copy.remove();
  }
}

function must(program, args, env) {
  const run = spawnSync(program, args, { env, encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'inherit'] });
  if (run.status !== 0) throw new Error(`${program} ended with ${run.status}: ${run.stdout}`);
  return run.stdout;
}
