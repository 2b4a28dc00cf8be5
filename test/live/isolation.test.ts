/** What a container may not see or do; each test first shows that the same thing is there outside. */

import { spawnSync } from 'node:child_process';
import { existsSync, openSync, readlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { bin, uid } from '../support/checkout.ts';
import { environment, rootless } from '../support/cli.ts';
import { run, runArgs, shell } from '../support/container.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;

live("every namespace but time is the container's own", needs, async () => {
  const inside = await shell([], 'for n in user pid net ipc uts mnt cgroup; do readlink /proc/self/ns/$n; done');
  const outside = ['user', 'pid', 'net', 'ipc', 'uts', 'mnt', 'cgroup'].map((name) => readlinkSync(`/proc/self/ns/${name}`));
  const shared = inside.split('\n').filter((line) => outside.includes(line));
  const allowed = uid === 0 ? shared.filter((line) => line.startsWith('user')) : [];
  assert.equal(shared, allowed);
  assert.is(inside.split('\n').length, 7);
});

live('processes of the host are invisible, and pid 1 is the program', needs, async () => {
  const [count, first] = (await shell([], 'ls /proc | grep -c "^[0-9]"; tr "\\0" " " < /proc/1/cmdline; :')).split('\n');
  assert.ok(Number(count) <= 5, `${count} processes are visible`);
  assert.match(first ?? '', /^sh -c/);
});

live('with --network none the only interface is lo, and it is up', needs, async () => {
  assert.is(await shell([], 'ip -o link | cut -d" " -f2; ping -c1 -W30 127.0.0.1 >/dev/null && echo up'), 'lo:\nup');
});

live("capabilities are docker's set and no more", needs, async () => {
  const mask = (await shell([], 'grep CapEff /proc/self/status')).split(/\s+/)[1];
  assert.is(mask, '00000000a80425fb');
  assert.is((await shell([], 'grep CapBnd /proc/self/status')).split(/\s+/)[1], '00000000a80425fb');
});

live('--cap-drop ALL leaves none, --cap-add gives one', needs, async () => {
  const mask = async (flags: string[]) => (await shell(flags, 'grep CapEff /proc/self/status')).split(/\s+/)[1];
  assert.is(await mask(['--cap-drop', 'ALL']), '0000000000000000');
  assert.is(await mask(['--cap-drop', 'ALL', '--cap-add', 'CHOWN']), '0000000000000001');
  assert.is(await mask(['--cap-drop', 'all', '--cap-add', 'cap_net_admin']), '0000000000001000');
});

live('no_new_privs is set and a seccomp filter is on', needs, async () => {
  const status = await shell([], 'cat /proc/self/status');
  assert.match(status, /^NoNewPrivs:\s+1$/m);
  assert.match(status, /^Seccomp:\s+2$/m);
});

live('seccomp=unconfined switches only the filter off', needs, async () => {
  const status = await shell(['--security-opt', 'seccomp=unconfined'], 'cat /proc/self/status');
  assert.match(status, /^NoNewPrivs:\s+1$/m);
});

live("a seccomp profile of one's own is used", needs, () =>
  withTmp(async (folder) => {
    const profile = join(folder, 'profile.json');
    writeFileSync(
      profile,
      JSON.stringify({
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
      }),
    );
    const { code, stderr } = await run(['--security-opt', `seccomp=${profile}`], ['mkdir', '/tmp/x']);
    assert.is(code, 1);
    assert.match(stderr, /not permitted/);
    assert.is((await run([], ['mkdir', '/tmp/x'])).code, 0);
  }),
);

live('mounting and new user namespaces are refused', needs, async () => {
  assert.is(await shell([], 'mount -t tmpfs none /tmp 2>/dev/null && echo mounted || echo refused'), 'refused');
  assert.is(await shell([], 'chroot / true 2>/dev/null && echo ok'), 'ok');
  assert.is(await shell(['--cap-drop', 'ALL'], 'chroot / true 2>/dev/null && echo ok || echo refused'), 'refused');
});

live('masked paths are empty and read-only paths refuse writes', needs, async () => {
  assert.is(await shell([], 'wc -c < /proc/kcore 2>/dev/null || echo 0'), '0');
  assert.is(await shell([], 'cat /proc/timer_list | wc -c'), '0');
  assert.is(await shell([], 'ls /sys/firmware /proc/scsi 2>/dev/null | grep -v : | wc -w'), '0');
  for (const path of ['/proc/sysrq-trigger', '/proc/sys/kernel/core_pattern', '/sys/kernel/mm/transparent_hugepage/enabled']) {
    assert.is(await shell([], `(echo h > ${path}) 2>/dev/null && echo written || echo refused`), 'refused', path);
  }
});

live('the program inherits no file descriptor but the three standard ones', needs, async () => {
  const open = openSync('/etc/passwd', 'r');
  const inside = await shell([], 'ls -l /proc/self/fd | awk \'NF>8 {print $9}\' | sort -n | tr "\\n" " "');
  assert.ok(open > 2);
  assert.is(inside.trim(), '0 1 2 3', '3 is ls itself reading the folder');
});

live('no descriptor of the caller leaks in, even one without close-on-exec', needs, () => {
  const args = runArgs([], ['sh', '-c', 'exec ls /proc/self/fd']);
  const run = spawnSync('sh', ['-c', 'exec 7</etc/passwd 9</; exec "$@"', 'sh', bin, ...args], {
    env: environment,
    encoding: 'utf8',
  });
  assert.is(run.stdout.split(/\s+/).filter(Boolean).sort().join(' '), '0 1 2 3', `3 is ls itself reading the folder; ${run.stderr}`);
});

live('files of the host are invisible', needs, () =>
  withTmp(async (folder) => {
    const secret = join(folder, 'secret');
    writeFileSync(secret, 'x');
    assert.is(await shell([], `ls ${secret} /home/*/.ssh /etc/hostname.host 2>/dev/null | wc -l`), '0');
    assert.is(await shell([], 'ls -A /home'), 'ana');
  }),
);

live('the old root is not reachable through mountinfo, /proc/1/root or ..', needs, async () => {
  assert.is(await shell([], 'ls /../../../../ | grep -c -E "^(boot|lost.found|srv|opt)$" || true'), '0');
  assert.is(await shell([], 'ls /proc/1/root/ | wc -l'), await shell([], 'ls / | wc -l'));
  assert.not.match(await shell([], 'cut -d" " -f5 /proc/self/mountinfo'), /\.pivot|oldroot|\/home\/(?!ana)/);
});

live('--read-only refuses writes to the image and leaves /dev/shm and --tmpfs writable', needs, async () => {
  const script = 'touch /etc/x 2>/dev/null && echo BAD; touch /dev/shm/x && echo shm; touch /scratch/x && echo scratch';
  assert.is(await shell(['--read-only', '--tmpfs', '/scratch'], script), 'shm\nscratch');
});

live('/dev has the standard devices and no disk', needs, async () => {
  const names = (await shell([], 'ls /dev')).split('\n');
  for (const name of ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx', 'pts', 'shm', 'fd', 'stdin', 'stdout', 'stderr']) {
    assert.ok(names.includes(name), `/dev/${name} is missing`);
  }
  assert.not.match(names.join('\n'), /^(sd|vd|nvme|loop|mem|kmsg|kvm|fuse)/m);
  assert.is(await shell([], 'echo x > /dev/null; head -c4 /dev/zero | wc -c; (echo x > /dev/full) 2>/dev/null || echo full'), '4\nfull');
});

live('a set-uid program gives nothing: no_new_privs holds', needs, async () => {
  const script = 'cp /bin/busybox /tmp/su && chmod 4755 /tmp/su && grep NoNewPrivs /proc/self/status';
  assert.match(await shell([], script), /NoNewPrivs:\s+1/);
});

live('--privileged gives every capability of the namespace and no filter', needs, async () => {
  const status = await shell(['--privileged'], 'cat /proc/self/status');
  assert.match(status, /^CapEff:\s+0*1[f]{10}$/m);
});

live('a sysctl of an own namespace is set, one of the host is refused', needs, async () => {
  assert.is(await shell(['--sysctl', 'net.ipv4.ip_unprivileged_port_start=81'], 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start'), '81');
  assert.is((await run(['--sysctl', 'kernel.panic=1'], ['true'])).code, 125);
});

live('--ulimit is applied', needs, async () => {
  assert.is(await shell(['--ulimit', 'nofile=77:88'], 'ulimit -Sn; ulimit -Hn'), '77\n88');
});

live('host: shows this machine, and nothing done there reaches it', needs, async () => {
  const name = `rootless-host-${process.pid}`;
  const home = homedir();
  const script = `test -f /etc/passwd && echo x > /var/tmp/${name} && echo y > ${home}/${name} && cat /var/tmp/${name} ${home}/${name}`;
  const { code, stdout, stderr } = await rootless(['run', '--rm', '--network', 'none', 'host:', 'sh', '-c', script]);
  assert.is(code, 0, stderr);
  assert.is(stdout, 'x\ny\n');
  assert.not.ok(existsSync(join('/var/tmp', name)));
  assert.not.ok(existsSync(join(home, name)));
});

live("host: shows the files of the caller as root's, and root of the host as nobody", needs, async () => {
  const { stdout } = await rootless(['run', '--rm', '--network', 'none', 'host:', 'stat', '-c', '%u', homedir(), '/etc/passwd']);
  assert.is(stdout, uid === 0 ? '0\n0\n' : '0\n65534\n');
});

live('limits are applied where a cgroup is delegated, and refused with a reason where none is', needs, async () => {
  const { code, stdout, stderr } = await run(['--pids-limit', '20'], ['sh', '-c', 'cat /sys/fs/cgroup/pids.max']);
  if (code === 0) assert.is(stdout, '20\n');
  else {
    assert.is(code, 125);
    assert.match(stderr, /cgroup/);
    assert.match(stderr, /why: /);
  }
});

live.run();
