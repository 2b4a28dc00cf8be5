/** The doctor on this machine, and on the same machine with one thing really broken, in namespaces of a test's own. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Result } from '../../src/doctor/finding.ts';
import { rootless } from '../support/cli.ts';
import { asUser, broken, own } from '../support/doctor.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns'] as const;

live('it finishes its round, and says how each thing stands', needs, async () => {
  const { stdout, stderr } = await rootless(['doctor', '--json']);
  const results = JSON.parse(stdout) as Result[];
  assert.ok(results.length > 20, stderr);
  const tried = results.filter(({ id }) => ['userns', 'overlay', 'store', 'disk'].includes(id));
  for (const { id, status, message } of tried) assert.is(status, 'ok', `${id}: ${message}`);
});

live('people get sections, and what is wrong with its cause and commands', needs, async () => {
  const { stdout } = await rootless(['doctor'], { env: { HTTP_PROXY: undefined, http_proxy: 'nonsense' } });
  assert.match(stdout, /^Around us\n/);
  assert.match(stdout, /\n {2}NO {2}proxy, tried .*"nonsense" is no http:\/\/ address\n {6}fix: /);
  assert.not.match(stdout, /\x1b/);
});

live('a script for root is printed, never run', needs, async () => {
  const { stdout } = await rootless(['doctor', '--fix']);
  assert.match(stdout, /^#!\/bin\/sh\n/);
});

live('an unknown check is refused with the known ones', needs, async () => {
  const { code, stderr } = await rootless(['doctor', 'nonsense']);
  assert.is(code, 125);
  assert.match(stderr, /no check "nonsense"[\s\S]*newuidmap/);
});

live('no user namespace left: the sysctl is named', needs, () => {
  const { status, why, fix } = broken('userns', ['-U', '-r'], 'echo 0 > /proc/sys/user/max_user_namespaces');
  assert.is(status, 'bad');
  assert.match(why ?? '', /user\.max_user_namespaces is 0/);
  assert.match((fix ?? []).join('\n'), /sysctl -w user\.max_user_namespaces/);
});

live('set-uid programs without effect: no_new_privs is named', needs, () => {
  const { status, why } = broken('no-new-privs', ['-U', '-c'], 'exec setpriv --no-new-privs DOCTOR');
  assert.is(status, 'bad');
  assert.match(why ?? '', /no_new_privs/);
});

live('a bounding set without CAP_SETUID is named', needs, () => {
  const { status, why } = broken('bounding-set', ['-U', '-r'], 'exec setpriv --bounding-set=-setuid DOCTOR');
  assert.is(status, 'bad');
  assert.match(why ?? '', /CapBnd/);
});

live('a newuidmap without its bit is named', needs, () =>
  withTmp((folder) => {
    const copy = join(folder, 'newuidmap');
    const shell = `cp /usr/bin/newuidmap ${copy} && chmod 755 ${copy} && mount --bind ${copy} /usr/bin/newuidmap && ${asUser}`;
    const { status, message, fix } = broken('newuidmap', own, shell);
    assert.is(status, 'bad');
    assert.match(message, /"\/usr\/bin\/newuidmap" has no privilege/);
    assert.match((fix ?? []).join('\n'), /^chmod u\+s \/usr\/bin\/newuidmap/);
  }),
);

live('a newuidmap on a filesystem with nosuid is found', needs, () =>
  withTmp((folder) => {
    const shell = `mount -t tmpfs -o nosuid none ${folder} && cp /usr/bin/newuidmap ${folder}/ && chmod 4755 ${folder}/newuidmap && mount --bind ${folder}/newuidmap /usr/bin/newuidmap && ${asUser}`;
    const { status, why } = broken('nosuid', own, shell);
    assert.is(status, 'bad');
    assert.match(why ?? '', /nosuid/);
  }),
);

live("tables of ids: none of one's own, ids of two, an account of the machine among them", needs, () =>
  withTmp((folder) => {
    const passwd = 'ana:x:1000:1000::/:/bin/sh\\neve:x:120000:120000::/:/bin/sh\\n';
    const found = (check: string, subuid: string, accounts: string) => {
      const table = (name: string, text: string) => `printf '${text}' > ${folder}/${name} && mount --bind ${folder}/${name} /etc/${name}`;
      return broken(check, own, `${table('subuid', subuid)} && ${table('passwd', accounts)} && ${asUser}`);
    };
    const ana = 'ana:100000:65536\\n';
    assert.match(found('subid', 'bo:100000:65536\\n', passwd).message, /no range for "ana" in \/etc\/subuid: containers get one user id/);
    assert.match(found('subid-overlap', `${ana}bo:120000:10\\n`, passwd).message, /"bo" has ids of yours too/);
    assert.match(found('subid-overlap', ana, passwd).message, /the user "eve" of this machine has an id of yours: 120000/);
  }),
);

live('few user namespaces are found, and that there can be none below another', needs, () => {
  const few = broken('userns-sysctls', ['-U', '-r'], 'echo 9 > /proc/sys/user/max_user_namespaces');
  assert.is(few.status, 'warn');
  assert.match(few.why ?? '', /user\.max_user_namespaces is 9/);
  // One for this shell's, one for the probe's first; the second is one too many.
  const deep = broken('nesting', ['-U', '-r'], 'echo 1 > /proc/sys/user/max_user_namespaces');
  assert.is(deep.status, 'warn', deep.message);
  assert.match(deep.message, /below a user namespace there can be no other: ENOSPC/);
});

live('covered parts of /proc: the outer container is asked for them', needs, () => {
  const { status, why, advice } = broken('proc', [...own, '-p', '-f', '--mount-proc'], 'mount --bind /dev/null /proc/keys');
  assert.is(status, 'warn');
  assert.match(why ?? '', /cover parts of the \/proc/);
  assert.match(advice ?? '', /systempaths=unconfined/);
});

live('hidepid is found', needs, () => {
  const { status, message } = broken('hidepid', [...own, '-p', '-f'], 'mount -t proc -o hidepid=2 proc /proc');
  assert.is(status, 'warn');
  assert.match(message, /hidepid/);
});

live('no tun device: the module is named', needs, () => {
  const { status, fix } = broken('tun', own, 'mount -t tmpfs none /dev/net');
  assert.is(status, 'bad');
  assert.match((fix ?? []).join('\n'), /modprobe tun/);
});

live('a pasta that does not work is found by trying', [...needs, 'pasta', 'tun'], () => {
  const { status, message } = broken('pasta', own, 'mount --bind /bin/false "$(readlink -f "$(command -v pasta)")"');
  assert.is(status, 'bad');
  assert.match(message, /pasta does not work/);
});

live('a slirp4netns that does not work is found by trying', [...needs, 'slirp4netns', 'tun'], () => {
  assert.is(broken('slirp4netns', own, ':').status, 'ok');
  const { message } = broken('slirp4netns', own, 'mount --bind /bin/false "$(readlink -f "$(command -v slirp4netns)")"');
  assert.match(message, /slirp4netns does not work: it ended without a word/);
});

live('a kernel where no bridge can be made is found by trying', needs, () => {
  const { status, message } = broken('bridges', ['-U', '-r'], 'echo 0 > /proc/sys/user/max_net_namespaces');
  assert.is(status, 'warn', message);
  assert.match(message, /network create" is of no use/);
});

live('ports: closed ones are told with the commands that open them, and found open by listening', needs, async () => {
  const closed = broken(
    'ports',
    ['-U', '-r', '-n'],
    'ip link set lo up; echo 1024 > /proc/sys/net/ipv4/ip_unprivileged_port_start; exec unshare -U --map-user=1000 --map-group=1000 DOCTOR',
  );
  assert.match(closed.message, /from 1024 on/);
  assert.match((closed.fix ?? []).join('\n'), /ip_unprivileged_port_start=80/);
  const open = broken(
    'ports',
    ['-U', '-r', '-n'],
    'ip link set lo up; echo 80 > /proc/sys/net/ipv4/ip_unprivileged_port_start; exec unshare -U --map-user=1000 --map-group=1000 DOCTOR',
  );
  assert.match(open.message, /from 80 on/);
});

live('a proxy that is silent, and a name server that is, are found by asking', needs, () =>
  withTmp((folder) => {
    const proxy = broken('proxy', ['-U', '-c'], ':', { https_proxy: 'http://ana:secret@127.0.0.1:1', http_proxy: undefined });
    assert.is(proxy.status, 'bad');
    assert.match(proxy.message, /"http:\/\/\*\*\*@127\.0\.0\.1:1" does not answer: ECONNREFUSED/);
    const script = `echo nameserver 127.0.0.9 > ${folder}/resolv && mount --bind ${folder}/resolv "$(readlink -f /etc/resolv.conf)"`;
    const dns = broken('dns', own, script);
    assert.is(dns.status, 'warn');
    assert.match(dns.message, /127\.0\.0\.9 does not answer/);
  }),
);

live('ping that is not for this group is found', needs, () => {
  const { status, message } = broken('ping', ['-U', '-r', '-n'], 'exec unshare -U --map-user=1000 --map-group=1000 DOCTOR');
  assert.is(status, 'warn');
  assert.match(message, /ping/);
});

live('no resolver is found', needs, () => {
  assert.is(broken('dns', own, 'mount --bind /dev/null "$(readlink -f /etc/resolv.conf)"').status, 'warn');
});

live('a store where nothing can be executed, or with no room, is found', needs, () =>
  withTmp((folder) => {
    const data = join(folder, 'data');
    mkdirSync(data, { mode: 0o700 });
    const mounted = (options: string) => `mount -t tmpfs -o ${options} none ${data}`;
    assert.match(broken('store', own, mounted('noexec'), { ROOTLESS_DATA: data }).message, /noexec/);
    assert.match(broken('disk', own, mounted('size=1m'), { ROOTLESS_DATA: data }).message, /0\.0 GiB free/);
  }),
);

live("a store that is somebody else's, or where nothing can be made, is found by making something", needs, () =>
  withTmp((folder) => {
    for (const data of ['/proc/nothing/here', '/etc', join(folder, 'no')]) {
      const shell = data.startsWith(folder) ? `mount -t tmpfs -o ro none ${folder}` : ':';
      const { status, message } = broken('store', own, shell, { ROOTLESS_DATA: data });
      assert.is(status, 'bad', `${data}: ${message}`);
      assert.is(broken('overlay', own, shell, { ROOTLESS_DATA: data }).status, 'off');
    }
  }),
);

live('a disk on which layers cannot be stacked is found, and what there is instead', [...needs, 'fuse'], () =>
  withTmp((folder) => {
    // An overlay on an overlay cannot be one side of a third.
    const twice = [
      `cd ${folder} && mount -t tmpfs none . && cd ${folder} && mkdir a b m c d data && mount -t overlay none -o lowerdir=a:b m`,
      'mount -t tmpfs none c && mkdir c/u c/w',
      'mount -t overlay none -o lowerdir=m,upperdir=c/u,workdir=c/w data',
    ].join(' && ');
    const found = broken('overlay', own, twice, { ROOTLESS_DATA: join(folder, 'data') });
    assert.is(found.status, 'warn', found.message);
    assert.match(found.message, /does not stack layers here \(overlay\)/);
    const fuse = (shell: string) => broken('fuse', own, `${twice} && ${shell}`, { ROOTLESS_DATA: join(folder, 'data') });
    assert.match(fuse('mount --bind /dev/null /usr/bin/fuse-overlayfs').message, /is not installed: each container is a full copy/);
    const closed = fuse('mount --bind /dev/null /dev/fuse && mount -o remount,bind,nodev /dev/fuse');
    assert.match(closed.message, /^\/dev\/fuse cannot be opened: EACCES$/);
    assert.equal(closed.fix, ['modprobe fuse', 'chmod 666 /dev/fuse']);
    assert.match(fuse('mount --bind /bin/false /usr/bin/fuse-overlayfs').message, /^\/usr\/bin\/fuse-overlayfs does not work here: /);
    assert.is(fuse(':').message, '/usr/bin/fuse-overlayfs');
  }),
);

live('no watches left, and no key: found by asking for one', needs, () => {
  const watches = broken('inotify', ['-U', '-r'], 'echo 0 > /proc/sys/user/max_inotify_instances');
  assert.is(watches.status, 'warn', watches.message);
  assert.match(watches.message, /are used \(EMFILE\)/);
});

live('a tree of cgroups that is not v2 alone, or is not ours, is found', needs, () => {
  const hybrid = broken('cgroup2', own, 'umount -R /sys/fs/cgroup 2> /dev/null; mount -t tmpfs none /sys/fs/cgroup');
  assert.is(hybrid.status, 'warn');
  assert.match(hybrid.message, /no limits/);
});

live('few processes are found', needs, () => {
  assert.match(broken('processes', ['-U', '-c'], 'exec prlimit --nproc=900:900 DOCTOR').message, /up to 900/);
});

live("somebody else's runtime folder is found", needs, () => {
  assert.match(broken('runtime-dir', ['-U', '-c'], ':', { XDG_RUNTIME_DIR: '/etc' }).message, /"\/etc", which is not a folder of yours/);
});

live('what was named and could be wider has its commands, in the report and in the script', needs, async () => {
  const report = await rootless(['doctor', 'ports']);
  assert.match(report.stdout, /^Network\n {2}ok {2}ports, tried {2}can be published from \d+ on/);
  const script = await rootless(['doctor', '--fix', 'ports']);
  assert.is(/for more: sudo sysctl/.test(report.stdout), /^sysctl -w net\.ipv4\.ip_unprivileged_port_start=80$/m.test(script.stdout));
});

live('few open files are found', needs, () => {
  const { status, message } = broken('files', ['-U', '-c'], 'ulimit -n 512');
  assert.is(status, 'warn');
  assert.match(message, /up to 512/);
});

live('a runtime folder that is gone is found', needs, () => {
  assert.match(broken('runtime-dir', ['-U', '-c'], ':', { XDG_RUNTIME_DIR: '/dev/null/run' }).message, /does not exist/);
});

live.run();
