/** Each thing that the doctor looks at is really broken in turn, is found, and is mended by the commands that were printed. ben is the patient. */

import * as assert from 'uvu/assert';
import type { Result } from '../../src/doctor/finding.ts';
import { live } from '../support/live.ts';
import { good, root } from '../support/vm.ts';

type Row = {
  readonly what: string;
  readonly id: string;
  /** A script of root. */
  readonly spoil: string;
  /** Puts back what the printed commands do not. */
  readonly restore?: string;
  readonly status: Result['status'];
  readonly says: RegExp;
  /** What ben's shell does before it becomes the doctor. */
  readonly first?: string;
  /** How root becomes ben. */
  readonly become?: string;
  /** The printed commands are run, and the doctor has to be content. */
  readonly mends?: true;
};

const folder = '/tmp/lab-broken';
const toBen = 'setpriv --reuid=ben --regid=ben --init-groups';
const sysctl = (name: string, value: string) =>
  `old=$(sysctl -n ${name}) && echo "$old" > ${folder}/old && sysctl -q -w ${name}='${value}'`;
const back = (name: string) => `sysctl -q -w ${name}="$(cat ${folder}/old)"`;
const store = `export ROOTLESS_DATA=${folder}/data;`;
/** A disk for ben's store, with these options. */
const disk = (options: string) => ({
  spoil: `mkdir -p ${folder}/data && mount -t tmpfs -o ${options} none ${folder}/data && chown ben: ${folder}/data; true`,
  restore: `umount ${folder}/data`,
  first: store,
});
/** An overlay on an overlay cannot be one side of a third. */
const twice = [
  `cd ${folder} && mkdir -p t data && mount -t tmpfs none t && mkdir t/a t/b t/m t/c t/d`,
  'mount -t overlay none -o lowerdir=t/a:t/b t/m',
  'mount -t tmpfs none t/c && mkdir t/c/u t/c/w',
  'mount -t overlay none -o lowerdir=t/m,upperdir=t/c/u,workdir=t/c/w data && chown ben: data',
].join(' && ');
const twiceBack = `cd ${folder}; umount data; umount t/c t/m; umount t; true`;

const rows: readonly Row[] = [
  { what: 'no range', id: 'subid', spoil: "sed -i '/^ben:/d' /etc/subuid /etc/subgid", status: 'warn', says: /one user id/, mends: true },
  { what: 'a short range', id: 'subid', spoil: "sed -i 's/^ben:.*/ben:165536:1000/' /etc/subuid /etc/subgid", status: 'warn', says: /above 1000/, mends: true },
  { what: 'ids of two', id: 'subid-overlap', spoil: 'echo eve:170000:100 >> /etc/subuid', status: 'bad', says: /"eve" has ids of yours/, mends: true },
  { what: 'newuidmap without its bit', id: 'newuidmap', spoil: 'chmod u-s /usr/bin/newuidmap', status: 'bad', says: /no privilege/, mends: true },
  { what: 'no newgidmap', id: 'newuidmap', spoil: 'mv /usr/bin/newgidmap /usr/bin/newgidmap.away', restore: 'mv /usr/bin/newgidmap.away /usr/bin/newgidmap', status: 'bad', says: /newgidmap is not installed/ },
  { what: 'newuidmap on nosuid', id: 'nosuid', spoil: `mkdir -p ${folder}/n && mount -t tmpfs -o nosuid none ${folder}/n && cp -p /usr/bin/newuidmap ${folder}/n/ && mount --bind ${folder}/n/newuidmap /usr/bin/newuidmap`, restore: `umount /usr/bin/newuidmap ${folder}/n`, status: 'bad', says: /nosuid/ },
  { what: 'no_new_privs', id: 'no-new-privs', spoil: 'true', become: `${toBen} --no-new-privs`, status: 'bad', says: /no effect.*no_new_privs/ },
  { what: 'a bounding set without CAP_SETUID', id: 'bounding-set', spoil: 'true', become: `${toBen} --bounding-set=-setuid`, status: 'bad', says: /bounding set/ },
  { what: 'a newuidmap that refuses', id: 'mapping', spoil: 'cp /bin/false /opt/refuses && chmod 4755 /opt/refuses && mount --bind /opt/refuses /usr/bin/newuidmap', restore: 'umount /usr/bin/newuidmap; rm /opt/refuses', status: 'bad', says: /cannot be mapped/ },
  { what: 'no user namespaces left', id: 'userns', spoil: sysctl('user.max_user_namespaces', '0'), restore: back('user.max_user_namespaces'), status: 'bad', says: /user\.max_user_namespaces is 0/, mends: true },
  { what: "Debian's switch", id: 'userns', spoil: sysctl('kernel.unprivileged_userns_clone', '0'), restore: back('kernel.unprivileged_userns_clone'), status: 'bad', says: /kernel\.unprivileged_userns_clone is 0/, mends: true },
  { what: 'few user namespaces', id: 'userns-sysctls', spoil: sysctl('user.max_user_namespaces', '5'), restore: back('user.max_user_namespaces'), status: 'warn', says: /user\.max_user_namespaces is 5/, mends: true },
  { what: 'an account among the ids', id: 'subid-overlap', spoil: 'echo eve:x:170000:170000::/:/bin/sh >> /etc/passwd', restore: "sed -i '/^eve:/d' /etc/passwd", status: 'bad', says: /the user "eve" of this machine has an id of yours/, mends: true },
  { what: 'hidepid', id: 'hidepid', spoil: 'mount -o remount,hidepid=2 /proc', restore: 'mount -o remount,hidepid=0 /proc', status: 'warn', says: /hidepid/, mends: true },
  { what: 'a tap device that is closed', id: 'tun', spoil: 'chmod 600 /dev/net/tun', restore: 'chmod 666 /dev/net/tun', status: 'bad', says: /EACCES/, mends: true },
  { what: 'a pasta that fails', id: 'pasta', spoil: 'mount --bind /bin/false "$(readlink -f /usr/bin/pasta)"', restore: 'umount "$(readlink -f /usr/bin/pasta)"', status: 'bad', says: /pasta does not work/ },
  { what: 'neither pasta nor slirp4netns', id: 'slirp4netns', spoil: 'mv /usr/bin/pasta /usr/bin/pasta.away && mv /usr/bin/slirp4netns /usr/bin/slirp4netns.away', restore: 'mv /usr/bin/pasta.away /usr/bin/pasta; mv /usr/bin/slirp4netns.away /usr/bin/slirp4netns', status: 'warn', says: /not installed either/ },
  { what: 'low ports that are closed', id: 'ports', spoil: sysctl('net.ipv4.ip_unprivileged_port_start', '1024'), restore: back('net.ipv4.ip_unprivileged_port_start'), status: 'ok', says: /from 1024 on/, mends: true },
  { what: 'low ports that are open', id: 'ports', spoil: sysctl('net.ipv4.ip_unprivileged_port_start', '80'), restore: back('net.ipv4.ip_unprivileged_port_start'), status: 'ok', says: /from 80 on/ },
  { what: 'no network namespaces left', id: 'bridges', spoil: sysctl('user.max_net_namespaces', '0'), restore: back('user.max_net_namespaces'), status: 'warn', says: /is of no use/ },
  { what: 'ping for nobody', id: 'ping', spoil: sysctl('net.ipv4.ping_group_range', '1 0'), restore: back('net.ipv4.ping_group_range'), status: 'warn', says: /not in net\.ipv4\.ping_group_range/, mends: true },
  { what: 'no resolver', id: 'dns', spoil: 'mount --bind /dev/null /etc/resolv.conf', restore: 'umount /etc/resolv.conf', status: 'warn', says: /no resolver/ },
  { what: 'few watches', id: 'inotify', spoil: sysctl('fs.inotify.max_user_watches', '100'), restore: back('fs.inotify.max_user_watches'), status: 'warn', says: /100 watches/, mends: true },
  { what: 'a store on noexec', id: 'store', ...disk('noexec'), status: 'bad', says: /noexec/ },
  { what: 'a store on nosuid', id: 'store', ...disk('nosuid'), status: 'warn', says: /nosuid/ },
  { what: 'a full disk', id: 'disk', ...disk('size=1m'), status: 'bad', says: /0\.0 GiB free/ },
  { what: 'a store where overlays cannot be', id: 'overlay', spoil: twice, restore: twiceBack, first: store, status: 'warn', says: /does not stack layers/ },
  { what: 'and no /dev/fuse', id: 'fuse', spoil: `${twice} && chmod 600 /dev/fuse`, restore: `chmod 666 /dev/fuse; ${twiceBack}`, first: store, status: 'warn', says: /\/dev\/fuse cannot be opened: EACCES/, mends: true },
  { what: 'ids that systemd could lend', id: 'nsresourced', spoil: "systemctl start systemd-nsresourced.socket; sed -i '/^ben:/d' /etc/subuid /etc/subgid", restore: 'systemctl stop systemd-nsresourced.socket systemd-nsresourced.service', status: 'off', says: /systemd 257\S* answers, and can lend none: .*"bpf"/ },
  { what: 'a tree that is not cgroup v2 alone', id: 'cgroup2', spoil: 'true', become: `unshare -m bash -c 'umount -R /sys/fs/cgroup; mount -t tmpfs none /sys/fs/cgroup; exec "$0" "$@"' ${toBen}`, status: 'warn', says: /no limits/ },
  { what: 'keys that are used up', id: 'keyring', spoil: sysctl('kernel.keys.maxbytes', '1'), restore: back('kernel.keys.maxbytes'), status: 'warn', says: /a new one was refused \(EDQUOT\)/, mends: true },
  { what: 'an outer container', id: 'nesting', spoil: 'true', first: 'export container=lxc;', status: 'ok', says: /inside lxc/ },
  { what: 'few open files', id: 'files', spoil: 'true', first: 'ulimit -n 512;', status: 'warn', says: /up to 512/ },
  { what: 'few processes', id: 'processes', spoil: 'true', first: 'ulimit -u 300;', status: 'warn', says: /up to 300/ },
]; // biome-ignore format: a table

function look({ id, first = '', become = toBen }: Row): Result {
  const { out } = root(
    `cd /home/ben; ${become} env -i HOME=/home/ben USER=ben PATH=/lab/bin:/usr/bin:/bin bash -c '${first} rootless doctor --json ${id} 2> /dev/null'`,
  );
  assert.match(out, /^\[/, out);
  const [result] = JSON.parse(out) as Result[];
  return result as Result;
}

for (const row of rows) {
  live(`${row.what}: found by "${row.id}"${row.mends ? ', and mended' : ''}`, [], () => {
    good(root(`mkdir -p ${folder} && cp -p /etc/subuid /etc/subgid ${folder}/`));
    try {
      good(root(row.spoil));
      const found = look(row);
      assert.is(found.status, row.status, JSON.stringify(found));
      assert.match(`${found.message} ${found.why ?? ''}`, row.says);
      if (!row.mends) return;
      good(root((found.fix ?? []).join('\n')));
      const mended = look(row);
      assert.ok(mended.status === 'ok' || mended.status === 'off', JSON.stringify(mended));
    } finally {
      root(
        `${row.restore ?? 'true'}; cp -p ${folder}/subuid ${folder}/subgid /etc/; chmod u+s /usr/bin/newuidmap; rm -rf --one-file-system ${folder}`,
      );
    }
  });
}

live.run();
