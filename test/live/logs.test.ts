/** `rootless logs`: what containers have said, by any driver, over rotations, crashes and full disks. */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { bin } from '../support/checkout.ts';
import { data, environment, finished, type Output, rootless, start, until } from '../support/cli.ts';
import { detached, gate, ok, open, said } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;

const folder = (id: string) => join(data, 'containers', id);
const log = (id: string) => readFileSync(join(folder(id), 'log'), 'utf8');
const script = (text: string) => ['sh', '-c', text];
const lines = (text: string) => text.split('\n').slice(0, -1);

async function monitorOf(id: string): Promise<number> {
  return (JSON.parse(readFileSync(join(folder(id), 'status.json'), 'utf8')) as { monitor: { pid: number } }).monitor.pid;
}

for (const [driver, record] of [
  ['json-file', /^\{"log":"out\\n","stream":"stdout","time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z"\}$/m],
  ['k8s-file', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z stdout F out$/m],
] as const) {
  live(`${driver}: each stream comes back on its own, of a container that has ended too`, needs, () =>
    detached(['--log-driver', driver], script('echo out; echo err >&2; printf unfinished'), async (id) => {
      await ok(['wait', id]);
      const output = await rootless(['logs', id]);
      assert.equal([output.code, output.stdout, output.stderr], [0, 'out\nunfinished', 'err\n']);
      assert.match(log(id), record);
      assert.match(await ok(['container', 'logs', '-t', id]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z out\n/);
    }),
  );
}

live('tail, since, until and details choose and show', needs, () =>
  detached(['--log-opt', 'tag={{.Name}}/x', '--name', 'chosen'], script(`seq 1 20; ${gate}; seq 21 25`), async (id) => {
    await said(id, '20\n');
    await pause(50);
    const before = new Date().toISOString();
    await pause(50);
    await open(id);
    await ok(['wait', id]);
    assert.is(await ok(['logs', '-n', '3', id]), '23\n24\n25\n');
    assert.is(await ok(['logs', '--tail=0', id]), '');
    for (const all of ['all', '-1', '1000']) assert.is(lines(await ok(['logs', `--tail=${all}`, id])).length, 25);
    assert.is(await ok(['logs', '--details', '--tail', '1', id]), 'tag=chosen/x 25\n');
    const [time = ''] = (await ok(['logs', '-t', '--tail', '1', id])).split(' ');
    assert.is(await ok(['logs', '--since', time, '--tail', '1', id]), '25\n');
    assert.equal(lines(await ok(['logs', '--since', before, id])), ['21', '22', '23', '24', '25']);
    assert.is(lines(await ok(['logs', '--until', before, id])).length, 20);
    assert.is(lines(await ok(['logs', '--until', String(Date.parse(before) / 1000), '--tail', '10', id])).length, 5);
    assert.is(lines(await ok(['logs', '--since', '1h', id])).length, 25);
    assert.is(await ok(['logs', '--until', '1h', id]), '');
  }),
);

live('labels and variables are among the details', needs, () =>
  detached(['-l', 'tier=front', '-e', 'WORD=own', '--log-opt', 'labels=tier', '--log-opt', 'env=WORD'], script('echo line'), async (id) => {
    await ok(['wait', id]);
    assert.is(await ok(['logs', '--details', id]), 'WORD=own,tier=front line\n');
    assert.is(await ok(['logs', id]), 'line\n');
  }),
);

live('what cannot be is refused', needs, () =>
  detached(['--log-driver', 'none', '--name', 'mute'], script('echo lost'), async () => {
    const refusals: readonly (readonly [readonly string[], number, RegExp])[] = [
      [['mute'], 1, /configured logging driver does not support reading/],
      [['nobody'], 1, /no such container: "nobody"/],
      [[], 125, /requires at least 1 argument/],
      [['--tail', 'x', 'mute'], 125, /invalid number of lines: "x"/],
      [['--since', 'yesterday', 'mute'], 125, /failed to parse value as time or duration/],
      [['--since', '1m', '--until', '2m', 'mute'], 125, /--until is before --since/],
    ];
    for (const [args, code, said] of refusals) {
      const output = await rootless(['logs', ...args]);
      assert.is(output.code, code, args.join(' '));
      assert.match(output.stderr, said);
    }
  }),
);

live('a journal that does not run is refused at the start', needs, async () => {
  if (existsSync('/run/systemd/journal/socket')) return;
  const output = await rootless(['run', '-d', '--network', 'none', '--log-driver', 'journald', busyboxImage(), 'true']);
  assert.is(output.code, 125);
  assert.match(output.stderr, /cannot write the log to the journal: none runs here/);
  assert.is(await ok(['ps', '-aq']), '');
});

live('following goes on until the container ends, over its restarts', needs, () =>
  detached(['--restart', 'on-failure:2'], script('echo one; sleep 0.4; echo two; exit 3'), async (id) => {
    const output = await finished(start(['logs', '-f', id]));
    assert.equal([output.code, output.stdout], [0, 'one\ntwo\n'.repeat(3)]);
    assert.is((await finished(start(['logs', '-f', id]))).stdout, 'one\ntwo\n'.repeat(3));
  }),
);

live('following begins before the container does, and ends when it is removed', needs, async () => {
  const make = async () => (await ok(['create', '--network', 'none', busyboxImage(), ...script('echo begun')])).trim();
  const id = await make();
  const follower = finished(start(['logs', '-f', id]));
  await ok(['start', id]);
  assert.is((await follower).stdout, 'begun\n');
  await ok(['rm', id]);
  const other = await make();
  const waiting = finished(start(['logs', '-f', other]));
  await eventually(() => assert.ok(follows(other)));
  await ok(['rm', other]);
  assert.is((await waiting).code, 0);
});

live('who follows is gone with the command that asked, also when that was killed', needs, () =>
  detached(['--name', 'talks'], script('sleep 1000'), async (id) => {
    const asking = start(['logs', '-f', 'talks']);
    const ended = finished(asking);
    await eventually(() => assert.ok(follows(id)));
    const parent = parentOf(follower(id) ?? '');
    process.kill(Number(parent), 'SIGKILL');
    await ended;
    await eventually(() => assert.not.ok(follows(id)));
  }),
);

/** Somebody prints the log of this container as it grows. */
function follows(id: string): boolean {
  return follower(id) !== undefined;
}

/** Its process. */
function follower(id: string): string | undefined {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return all.find((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      return command.includes('\0--follow\0') && command.includes(id);
    } catch {
      return false;
    }
  });
}

function parentOf(pid: string): string {
  return /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
}

live('several containers, with a name before each line', needs, () =>
  detached(['--name', 'first'], script('echo 1; echo 2 >&2'), (first) =>
    detached(['--name', 'second'], script('echo 3'), async () => {
      await ok(['wait', 'first', 'second']);
      const output = await rootless(['logs', '--names', 'first', 'second']);
      assert.equal([output.stdout, output.stderr], ['first 1\nsecond 3\n', 'first 2\n']);
      assert.match(await ok(['logs', 'first', 'second']), new RegExp(`^${first.slice(0, 12)} 1\n`));
      assert.is(await ok(['logs', '-l']), '3\n');
      const followed = await ok(['logs', '-f', '--names', 'first', 'second']);
      assert.equal(lines(followed).sort(), ['first 1', 'second 3']);
    }),
  ),
);

live('files are rotated, and read and followed as one', needs, () =>
  detached(
    ['-i', '--log-opt', 'max-size=20k', '--log-opt', 'max-file=4'],
    script('i=0; while [ $i -lt 30 ] && read -r next; do seq $((i*100+1)) $((i*100+100)); i=$((i+1)); done'),
    async (id) => {
      // The next hundred is asked for when the follower has shown the last one: however slow it is, none may be missing.
      const follower = start(['logs', '-f', id]);
      const ended = finished(follower);
      const typist = start(['attach', id]);
      const typed = finished(typist);
      for (let round = 1; round <= 30; round += 1) {
        const shown = until(follower, `\n${round * 100}\n`);
        typist.stdin?.write('next\n');
        await shown;
      }
      const followed = lines((await ended).stdout);
      await typed;
      const numbers = Array.from({ length: 3000 }, (_, index) => String(index + 1));
      assert.equal(followed, numbers);
      const files = readdirSync(folder(id)).filter((name) => /^log/.test(name));
      assert.equal(files.sort(), ['log', 'log.1', 'log.2', 'log.3']);
      for (const name of files) assert.ok(readFileSync(join(folder(id), name)).length <= 20_480, name);
      const kept = lines(await ok(['logs', id]));
      assert.ok(kept.length > 500);
      assert.equal(kept, numbers.slice(-kept.length));
      assert.equal(lines(await ok(['logs', '--tail', '400', id])), numbers.slice(-400));
    },
  ),
);

live(
  'a monitor that is killed at any moment leaves a whole log, which goes on at the next start',
  needs,
  () =>
    detached(
      ['--log-opt', 'max-size=4k', '--log-opt', 'max-file=50'],
      script('i=0; while :; do i=$((i+1)); echo "line $i of $$"; done'),
      async (id) => {
        await said(id, ' of ');
        for (let round = 0; round < 12; round += 1) {
          await pause(20 + round * 17);
          process.kill(await monitorOf(id), 'SIGKILL');
          await eventually(async () => assert.match(await ok(['ps', '-a', '--format', '{{.State}}', '--filter', `id=${id}`]), /exited/));
          const said = lines(await ok(['logs', id]));
          assert.ok(said.length > 0);
          // Each life counts from 1; the oldest files are gone.
          let expected = Number(said[0]?.split(' ')[1]);
          for (const line of said) {
            assert.match(line, /^line \d+ of \d+$/);
            const number = Number(line.split(' ')[1]);
            assert.ok(number === expected || number === 1, `${line} after ${expected - 1}`);
            expected = number + 1;
          }
          await ok(['start', id]);
        }
      },
    ),
  { seconds: 300 },
);

live('any bytes come back, long lines and short ones', needs, () =>
  withTmp(async () => {
    const source = 'head -c 700000 /bin/busybox; printf "\\n"; yes | tr -d "\\n" | head -c 300000; echo; echo end';
    const wanted = createHash('sha256');
    await detached(['--log-driver', 'k8s-file'], script(source), async (id) => {
      await ok(['wait', id]);
      const child = start(['logs', id]);
      const got: Buffer[] = [];
      child.stdout?.on('data', (chunk: Buffer) => got.push(chunk));
      await finished(child);
      const direct = start(['run', '--rm', '--network', 'none', '--log-driver', 'none', busyboxImage(), ...script(source)]);
      child.stdout?.removeAllListeners();
      direct.stdout?.on('data', (chunk: Buffer) => wanted.update(chunk));
      await finished(direct);
      assert.is(createHash('sha256').update(Buffer.concat(got)).digest('hex'), wanted.digest('hex'));
    });
  }),
);

live(
  '100 MB are written and read back whole; the end of them at once',
  needs,
  () =>
    detached([], script('yes 0123456789012345678901234567890123456789012345678 | head -c 100000000; echo last'), async (id) => {
      await ok(['wait', id]);
      const child = start(['logs', id]);
      let length = 0;
      child.stdout?.on('data', (chunk: Buffer) => {
        length += chunk.length;
      });
      const code = await new Promise((resolve) => child.once('close', resolve));
      assert.equal([code, length], [0, 100_000_005]);
      assert.is(lines(await ok(['logs', '--tail', '10', id])).at(-1), 'last');
      const head = spawnSync('sh', ['-c', `"$0" logs ${id} | head -n 1`, bin], { env: environment, encoding: 'utf8' });
      assert.equal([head.status, head.stdout.length], [0, 50]);
    }),
  { seconds: 300 },
);

/** A shell in a mount namespace of its own, with a tmpfs of 300 KiB on the folder. */
function onSmallDisk(place: string, text: string): Output {
  const inside = `mount -t tmpfs -o size=300k tmpfs ${place} && rootless() { "$0" "$@"; }; ${text}`;
  const run = spawnSync('unshare', ['-Urm', 'sh', '-c', inside, bin], { env: environment, encoding: 'utf8' });
  return { code: run.status, signal: run.signal, stdout: run.stdout, stderr: run.stderr };
}

const image = () => `--network none ${busyboxImage()}`;

live('on a full disk the container goes on, and the log says what is missing, there and when there is room again', needs, () =>
  withTmp((base) => {
    const place = join(base, 'small');
    mkdirSync(place);
    const program = 'seq 1 20000; touch /tmp/said; while [ ! -e /tmp/more ]; do sleep 0.1; done; sleep 1.2; echo after; sleep 0.5';
    const output = onSmallDisk(
      place,
      `head -c 100000 /dev/zero > ${place}/filler
       id=$(rootless run -d --log-opt path=${place}/log ${image()} sh -c '${program}')
       until rootless exec $id test -e /tmp/said; do sleep 0.1; done
       rootless logs $id >/dev/null; echo --- >&2
       rm ${place}/filler; rootless exec $id touch /tmp/more; rootless wait $id
       rootless logs --tail 1 $id; rootless logs $id > /dev/null; rootless rm -f $id >/dev/null`,
    );
    assert.equal([output.code, output.stdout], [0, '0\nafter\n'], output.stderr);
    const [during = '', after = ''] = output.stderr.split('---\n');
    assert.match(during, /rootless: the log cannot be written \(ENOSPC\): \d+ bytes in \d+ lines are missing so far/);
    assert.match(after, /rootless: the log could not be written \(ENOSPC\): \d+ bytes in \d+ lines are missing/);
  }),
);

live('with when-full=stop a full disk is the end of the container', needs, () =>
  withTmp((base) => {
    const place = join(base, 'small');
    mkdirSync(place);
    const output = onSmallDisk(
      place,
      `id=$(rootless run -d --log-opt path=${place}/log --log-opt when-full=stop ${image()} sh -c 'seq 1 20000; sleep 300')
       rootless wait $id; rootless logs $id >/dev/null; rootless rm -f $id >/dev/null`,
    );
    assert.is(output.code, 0, output.stderr);
    assert.match(output.stdout, /^(137|143)\n$/);
    assert.match(output.stderr, /ENOSPC/);
  }),
);

live('a reader that leaves ends it', needs, () =>
  detached([], script('while :; do echo tick; sleep 0.1; done'), async (id) => {
    const child = start(['logs', '-f', id]);
    await until(child, 'tick');
    const ended = finished(child);
    child.stdout?.destroy();
    assert.is((await ended).code, 141);
    const other = start(['logs', '-f', id]);
    await until(other, 'tick');
    const interrupted = finished(other);
    other.kill('SIGINT');
    assert.is((await interrupted).code, 130);
  }),
);

live.run();
