/**
 * The holder of user-defined networks, and those who need it, killed at every moment: containers that live keep their network and their
 * names, and nothing stays. Counted, so nothing may run beside this file.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { census, left } from '../support/census.ts';
import { data, rootless, runtime } from '../support/cli.ts';
import { ok } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox'] as const;
const directory = join(runtime, 'rootless', 'network');
const sleeper = ['sleep', '300'];
const inside = (name: string, script: string) => rootless(['exec', name, 'sh', '-c', script]);
/** Internal: what is tested here needs no way out. */
const create = (name: string) => ok(['network', 'create', '--internal', name]);
const run = async (name: string, flags: readonly string[], argv = sleeper) =>
  (await ok(['run', '-d', '--name', name, ...flags, busyboxImage(), ...argv])).trim();

/** Processes that serve the networks of this file. */
function holders(): number[] {
  const numbers = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return numbers.map(Number).filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words[1] === 'network' && words[2] === 'serve' && words.includes(directory);
    } catch {
      return false;
    }
  });
}

async function killHolder(): Promise<void> {
  const [pid = 0] = holders();
  assert.is.not(pid, 0);
  process.kill(pid, 'SIGKILL');
  await eventually(() => assert.ok(!holders().includes(pid) && holders().length === 1));
}

async function finds(from: string, name: string): Promise<void> {
  await eventually(async () => {
    const { code, stdout, stderr } = await inside(from, `ping -c 1 -W 2 ${name}`);
    assert.is(code, 0, stdout + stderr);
  });
}

async function isUnknown(from: string, name: string): Promise<void> {
  await eventually(async () => assert.is.not((await inside(from, `nslookup ${name}`)).code, 0));
}

const monitorOf = (id: string) =>
  (JSON.parse(readFileSync(join(data, 'containers', id, 'status.json'), 'utf8')) as { monitor: { pid: number } }).monitor.pid;

/** Containers and networks of one test go with it; and so does all that they brought. */
async function alone(networks: readonly string[], work: () => Promise<void>): Promise<void> {
  await ok(['run', '--rm', '--network', 'none', busyboxImage(), 'true']);
  const before = census();
  for (const name of networks) await create(name);
  try {
    await work();
  } finally {
    await rootless(['rm', '-f', '-t', '0', '--all']);
    await rootless(['network', 'rm', ...networks]);
  }
  // Without limits nothing of this has a cgroup of its own.
  const more = () => left(before, census()).filter((entry) => !entry.startsWith('cgroup '));
  await eventually(() => assert.equal([...more(), ...holders()], []), 20_000);
}

live('a killed holder is started again, and no container loses its network or its name', needs, () =>
  alone(['one'], async () => {
    await run('web', ['--network', 'one', '--network-alias', 'www']);
    await run('client', ['--network', 'one']);
    await finds('client', 'www');
    for (const round of [1, 2]) {
      const before = (await inside('client', 'cat /sys/class/net/eth0/ifindex')).stdout;
      await killHolder();
      await finds('client', 'web');
      await finds('web', 'client');
      assert.is((await inside('client', 'cat /sys/class/net/eth0/ifindex')).stdout, before, `round ${round}`);
    }
    await run('late', ['--network', 'one']);
    await finds('late', 'web');
    await finds('web', 'late');
  }),
);

live('a killed monitor takes its container and its names along, and nobody else', needs, () =>
  alone(['one'], async () => {
    const id = await run('web', ['--network', 'one']);
    await run('client', ['--network', 'one']);
    await run('other', ['--network', 'one']);
    await finds('client', 'web');
    process.kill(monitorOf(id), 'SIGKILL');
    await isUnknown('client', 'web');
    await finds('client', 'other');
    await ok(['start', 'web']);
    await finds('client', 'web');
  }),
);

live('the holder and all monitors killed at once leave nothing, and the next run begins anew', needs, () =>
  alone(['one'], async () => {
    const ids = [await run('web', ['--network', 'one']), await run('client', ['--network', 'one'])];
    for (const pid of [...ids.map(monitorOf), ...holders()]) process.kill(pid, 'SIGKILL');
    await eventually(() => assert.equal(holders(), []));
    await ok(['start', 'web', 'client']);
    await finds('client', 'web');
  }),
);

live('a container that lives again is found again, though the holder was killed while it did not live', needs, () =>
  alone(['one'], async () => {
    await run('client', ['--network', 'one']);
    await run('again', ['--network', 'one', '--restart', 'always']);
    await finds('client', 'again');
    await ok(['kill', 'again']).catch(() => '');
    await killHolder();
    await ok(['start', 'again']).catch(() => '');
    await finds('client', 'again');
  }),
);

live('networks are apart: neither names nor packets pass, whatever route a container makes', needs, () =>
  alone(['one', 'two'], async () => {
    await run('web', ['--network', 'one']);
    await run('spy', ['--network', 'two', '--cap-add', 'NET_ADMIN']);
    await run('both', ['--network', 'one', '--network', 'two']);
    await finds('both', 'web');
    await finds('spy', 'both');
    await isUnknown('spy', 'web');
    const address = async (name: string, network: string) =>
      (await ok(['inspect', '-f', `{{.NetworkSettings.Networks.${network}.IPAddress}}`, name])).trim();
    const target = await address('web', 'one');
    for (const way of ['$(grep -o "[0-9.]*$" /etc/resolv.conf | head -1)', await address('both', 'two')]) {
      const route = `ip route replace ${target}/32 via ${way}`;
      const { code, stdout } = await inside('spy', `${route} && ping -c 1 -W 1 ${target}`);
      assert.is(code, 1, stdout);
    }
  }),
);

live('bytes that are no question leave the name server as it was', needs, () =>
  alone(['one'], async () => {
    await run('web', ['--network', 'one']);
    await run('client', ['--network', 'one']);
    const [holder] = holders();
    const server = '$(grep -o "[0-9.]*$" /etc/resolv.conf | head -1)';
    const flood = `for n in $(seq 15); do head -c $((n * 37)) /dev/urandom | nc -u -w 1 ${server} 53 >/dev/null & done; wait`;
    const streams = `for n in $(seq 15); do head -c $((n * 97)) /dev/urandom | nc -w 1 ${server} 53 >/dev/null & done; wait`;
    await inside('client', flood);
    await inside('client', streams);
    // Connections that say nothing take no place from those who do.
    await inside('client', `for n in $(seq 20); do sleep 2 | nc ${server} 53 & done; nslookup web`);
    await finds('client', 'web');
    assert.equal(holders(), [holder]);
  }),
);

live.run();
