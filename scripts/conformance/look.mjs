// A cgroup v2 tree of the test user's own, in private namespaces, whatever the machine has.
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';

/** Two namespaces: the first to put a process into a cgroup, the second to see that as the root of the tree. What is left in it is killed. */
const script = `mount --make-rprivate / && { umount -R /sys/fs/cgroup 2>/dev/null; mount -t cgroup2 none /sys/fs/cgroup; } || exit
group=/sys/fs/cgroup/conformance-$$ && mkdir $group || exit
exec 3<&0
trap 'echo 1 > $group/cgroup.kill' TERM
sh -c 'echo $$ > "$0"/cgroup.procs && exec "$@"' $group unshare -m -C sh -c 'umount /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && cd /sys/fs/cgroup &&
mkdir -p leaf runc-cgroups-integration-test && chown -R "$0" . && echo $$ > leaf/cgroup.procs && cd "$1" && shift && exec runuser -u "$0" -- "$@"' "$@" <&3 3<&- &
wait $!; code=$?
echo 1 > $group/cgroup.kill
for try in 1 2 3 4 5 6 7 8 9; do find $group -depth -type d -exec rmdir {} + 2>/dev/null; [ -d $group ] || break; sleep 0.2; done
exit $code`;

/** Arguments of spawnSync for a command in there, or in a service of the user's own systemd, in the lab's guest. */
export function inLook({ command, env, where, as }, systemd) {
  const ids = as === 'root' ? {} : ranges(as);
  const all = Object.entries({ HOME: '/tmp', PATH: path(), TERM: 'xterm', XDG_RUNTIME_DIR: '/tmp', ...ids, ...env });
  const set = (entries) => entries.map(([key, value]) => `${key}=${value}`);
  if (systemd) {
    const asked = [...all.filter(([key]) => key !== 'XDG_RUNTIME_DIR'), ...Object.entries(systemd)];
    return ['lab-as', ['user', 'env', '-C', where, ...set(asked), ...command]];
  }
  const args = ['env', '-i', ...set(all), ...command];
  return ['unshare', ['-m', 'sh', '-c', script, 'look', as, where, ...args]];
}

/** Without what is only root's. */
function path() {
  const folders = (process.env.PATH ?? '').split(':');
  return folders.filter((folder) => !`${folder}/`.startsWith(`${homedir()}/`)).join(':');
}

/** What runc's suite calls the subordinate ids. */
function ranges(user) {
  const of = (file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .find((line) => line.startsWith(`${user}:`))
      ?.split(':') ?? [];
  const [, uid, uids] = of('/etc/subuid');
  const [, gid, gids] = of('/etc/subgid');
  return { ROOTLESS_UIDMAP_START: uid, ROOTLESS_UIDMAP_LENGTH: uids, ROOTLESS_GIDMAP_START: gid, ROOTLESS_GIDMAP_LENGTH: gids };
}
