/** rootless inside containers: with the ids that those have, where /proc is covered, and where namespaces are forbidden. */

import { dirname } from 'node:path';
import * as assert from 'uvu/assert';
import { checkout } from '../support/checkout.ts';
import { type Output, rootless } from '../support/cli.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox'] as const;
/** docker's filter forbids what containers inside it are made of. */
const open = ['--security-opt', 'seccomp=unconfined'];
const inner = '/opt/rootless/bin/rootless run --rm --network none';
/** Node, the product and a root filesystem, where the outer container sees them. */
const tools = [
  ['-v', `${checkout}:/opt/rootless:ro`],
  ['-v', `${dirname(process.execPath)}:/opt/node:ro`],
  ['-v', `${busyboxImage().slice('oci:'.length)}:/opt/busybox:ro`],
  ['-e', 'PATH=/opt/node:/usr/bin:/bin:/usr/sbin:/sbin'],
  ['-e', 'HOME=/tmp/home'],
].flat();

/** A shell line inside a container whose files are the host's. */
function outer(flags: readonly string[], line: string): Promise<Output> {
  return rootless(['run', '--rm', '--network', 'none', ...tools, ...flags, 'host:', 'sh', '-c', `mkdir -p $HOME; ${line}`]);
}

async function says(flags: readonly string[], line: string): Promise<string> {
  const { code, stdout, stderr } = await outer(flags, line);
  assert.is(code, 0, `${stderr}${stdout}`);
  return stdout.trimEnd();
}

live('a container in a container: processes of its own, all ids that the outer one has', needs, async () => {
  const script = 'echo pid $$; id -u; wc -l < /proc/self/uid_map; cat /proc/self/uid_map';
  const [pid, id, ...map] = (await says(open, `${inner} oci:/opt/busybox sh -c '${script}'`)).split('\n');
  assert.equal([pid, id], ['pid 1', '0']);
  assert.match(map.join('\n'), /^\d+\n\s+0\s+0\s+/);
});

live('a /proc with covers is shown as it is; what the outer container hides stays hidden', needs, async () => {
  const look = 'readlink /proc/self/exe; cat /proc/keys | wc -c; ls -d /proc/self/ns';
  assert.is(await says(open, `${inner} oci:/opt/busybox sh -c '${look}'`), '/bin/busybox\n0\n/proc/self/ns');
});

live('processes outside cannot be signalled or looked into, though their numbers are seen', needs, async () => {
  const attack =
    'for p in /proc/[0-9]*; do n=${p#/proc/}; grep -q outside[-]sleeper $p/cmdline 2>/dev/null || continue; ' +
    'readlink $p/root && echo ROOT; cat $p/environ && echo ENVIRON; kill -9 $n; done 2>/dev/null; :';
  const line = `bash -c 'exec -a outside-sleeper sleep 60' & until grep -q outside-sleeper /proc/$!/cmdline; do :; done; ${inner} oci:/opt/busybox sh -c '${attack}'; kill -0 $! && echo alive`;
  assert.is(await says(open, line), 'alive');
});

live('three deep, where nothing of /proc is hidden; else it says that no more is possible', needs, async () => {
  const again = tools.map((word) => word.replace(/^[^-][^:]*:(\/opt\/\w+):ro$/, '$1:$1:ro')).join(' ');
  const deeper = `${inner} ${open.join(' ')} ${again} host: sh -c`;
  const line = `${deeper} 'mkdir -p $HOME; ${inner} oci:/opt/busybox echo bottom'`;
  assert.is(await says([...open, '--security-opt', 'unmask=ALL'], line), 'bottom');
  const { code, stderr } = await outer(open, line);
  assert.is(code, 125);
  assert.match(stderr, /the \/proc here is not that of this container/);
});

live('where the outer filter forbids namespaces, that is what is said, and how to allow them', needs, async () => {
  const { code, stderr } = await outer([], `${inner} embedded:hello`);
  assert.is(code, 125);
  assert.match(stderr, /cannot make a user namespace: EPERM/);
  assert.match(stderr, /a seccomp filter is active/);
  assert.match(stderr, /seccomp=unconfined/);
});

live('a user of the outer container without privileges gets one id', needs, async () => {
  const flags = [...open, '--security-opt', 'no-new-privileges', '--userns', 'keep-id'];
  const script = 'id -u; touch /f; chown ana /f && echo changed; busybox su ana -c "id -u"';
  const { code, stdout, stderr } = await outer(flags, `${inner} oci:/opt/busybox sh -c '${script}'`);
  assert.is(code, 0, stderr);
  assert.is(stdout, '0\nchanged\n1000\n');
});

live(
  'a container in a container is lived with: exec, logs, cp, stats, top, commit, start, and neighbours on a network',
  [...needs, 'pasta', 'tun'],
  async () => {
    const cli = '/opt/rootless/bin/rootless';
    const lines = [
      'set -e',
      `${cli} run -d --name inner --network none oci:/opt/busybox sh -c 'echo begun; exec sleep 1000' > /dev/null`,
      `until ${cli} logs inner | grep begun; do sleep 0.1; done`,
      `${cli} exec inner sh -c 'echo written > /tmp/file'`,
      `${cli} cp inner:/tmp/file /tmp/file 2> /dev/null; cat /tmp/file`,
      `${cli} stats --no-stream --format '{{.Name}} {{.PIDs}}' inner`,
      `${cli} top inner | tail -n +2 | wc -l`,
      `${cli} commit -q inner kept:1 > /dev/null`,
      `${cli} stop -t 0 inner; ${cli} start inner; ${cli} rm -f inner`,
      `${cli} run --rm --network none kept:1 cat /tmp/file`,
      `${cli} network create --internal between > /dev/null`,
      `${cli} run -d --name near --network between oci:/opt/busybox sleep 1000 > /dev/null`,
      `${cli} run --rm --network between oci:/opt/busybox ping -c 1 near | grep -c ' bytes from '`,
      `${cli} rm -f -t 0 near; ${cli} network rm between`,
    ];
    const said = await says([...open, '--device', '/dev/net/tun'], lines.join('\n'));
    assert.is(said, 'begun\nwritten\ninner 1\n1\ninner\ninner\ninner\nwritten\n1\nnear\nbetween');
  },
);

live('without /dev/net/tun a network that nobody asked for is that of the container around; one that was is refused', needs, async () => {
  const plain = '/opt/rootless/bin/rootless run --rm';
  const { code, stdout, stderr } = await outer(open, `${plain} oci:/opt/busybox readlink /proc/self/ns/net; readlink /proc/self/ns/net`);
  assert.is(code, 0, stderr);
  const [inside, outside] = stdout.trim().split('\n');
  assert.is(inside, outside);
  assert.match(stderr, /the network is that of .* around it: "\/dev\/net\/tun" is missing/);
  for (const flag of ['--network private', '-p 8080:80']) {
    const refused = await outer(open, `${plain} ${flag} oci:/opt/busybox true`);
    assert.is(refused.code, 125);
    assert.match(refused.stderr, /cannot make a private network: "\/dev\/net\/tun" is missing/);
    assert.match(refused.stderr, /--device \/dev\/net\/tun/);
  }
});

live('doctor in a container names what is missing around it', needs, async () => {
  const report = await says(open, '/opt/rootless/bin/rootless doctor --json; :');
  const findings = JSON.parse(report) as { id: string; status: string; message: string }[];
  const proc = findings.find(({ id }) => id === 'proc');
  assert.is(proc?.status, 'warn', JSON.stringify(proc));
});

live.run();
