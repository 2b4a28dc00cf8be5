// A cgroup v2 tree of the test user's own, in private namespaces, whatever the machine has.
import { readFileSync } from 'node:fs';

const user = process.env.ROOTLESS_TEST_USER ?? 'rootless-ci';

/** Two namespaces: the first to put this process into a cgroup, the second to see that as the root of the tree. */
const script = `mount --make-rprivate / && { umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 none /sys/fs/cgroup; } &&
group=/sys/fs/cgroup/conformance-$$ && mkdir $group && echo $$ > $group/cgroup.procs &&
exec unshare -m -C sh -c 'umount /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && cd /sys/fs/cgroup &&
mkdir -p leaf runc-cgroups-integration-test && chown -R "$0" . && echo $$ > leaf/cgroup.procs && cd "$1" && shift && exec runuser -u "$0" -- "$@"' "$@"`;

/** Arguments of spawnSync for a command in there; its terminal never ends. */
export function inLook(command, env, folder) {
  const ids = ranges();
  const all = Object.entries({ HOME: '/tmp', PATH: process.env.PATH, TERM: 'xterm', XDG_RUNTIME_DIR: '/tmp', ...ids, ...env });
  const args = ['env', '-i', ...all.map(([key, value]) => `${key}=${value}`), ...command];
  return ['unshare', ['-m', 'sh', '-c', script, 'look', user, folder, ...args]];
}

/** What runc's suite calls the subordinate ids. */
function ranges() {
  const of = (file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .find((line) => line.startsWith(`${user}:`))
      ?.split(':') ?? [];
  const [, uid, uids] = of('/etc/subuid');
  const [, gid, gids] = of('/etc/subgid');
  return { ROOTLESS_UIDMAP_START: uid, ROOTLESS_UIDMAP_LENGTH: uids, ROOTLESS_GIDMAP_START: gid, ROOTLESS_GIDMAP_LENGTH: gids };
}
