/** `rootless attach`: this terminal, or these streams, joined to a running container's program. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { data, finished, rootless, start, until } from '../support/cli.ts';
import { detached, gate, ok, open, said, terminal, terminalShell } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox'] as const;
const onTty = ['userns', 'busybox', 'python'] as const;
/** Says what it reads, and ends at the end of its input. */
const echoing = ['sh', '-c', 'echo ready; while read -r line; do echo "<$line>"; echo "!$line" >&2; done; exit 4'];
const shell = ['-it', '-e', 'PS1=$ '];

live('streams go both ways, until the program ends with its code', needs, () =>
  detached(['-i'], echoing, async (id) => {
    await said(id);
    const child = start(['attach', id]);
    const ended = finished(child);
    child.stdin?.write('one\n');
    await until(child, '<one>');
    child.stdin?.end('two\n');
    const { code, stdout, stderr } = await ended;
    assert.equal([code, stdout, stderr], [4, '<one>\n<two>\n', '!one\n!two\n']);
  }),
);

live('several may listen and type at once', needs, () =>
  detached(['-i'], echoing, async (id) => {
    const [listener, typist] = [start(['attach', '--no-stdin', id]), start(['attach', id])];
    const ended = [finished(listener), finished(typist)];
    await attached(id, 2);
    const heard = until(listener, '<hello>');
    typist.stdin?.write('hello\n');
    await heard;
    typist.stdin?.end();
    assert.equal(
      (await Promise.all(ended)).map(({ code }) => code),
      [4, 4],
    );
  }),
);

live('a container that was made without -i reads nothing', needs, () =>
  detached([], ['sh', '-c', `cat; echo end; ${gate}; exit 6`], async (id) => {
    const output = rootless(['attach', id], { input: 'ignored\n' });
    await attached(id, 1);
    await open(id);
    const { code, stdout } = await output;
    assert.equal([code, stdout.includes('ignored')], [6, false]);
  }),
);

live('no byte is lost at the end', needs, () =>
  detached(['-i'], ['sh', '-c', 'read -r line; yes 0123456789abcde | head -c 4000000; exit 3'], async (id) => {
    const { code, stdout } = await rootless(['attach', id], { input: '\n' });
    assert.equal([code, stdout.length], [3, 4_000_000]);
  }),
);

live('binary input arrives whole', needs, () =>
  detached(['-i'], ['sh', '-c', 'sha256sum'], async (id) => {
    const bytes = Buffer.alloc(2_000_000, 'binary \0\xff\r\n\x10\x11', 'latin1');
    const wanted = createHash('sha256').update(bytes).digest('hex');
    assert.is((await rootless(['attach', id], { input: bytes })).stdout, `${wanted}  -\n`);
  }),
);

live("signals are the program's, without --sig-proxy they end the session", needs, () =>
  detached([], ['sh', '-c', 'trap "echo caught; exit 5" TERM; echo ready; while :; do sleep 0.1; done'], async (id) => {
    await said(id);
    const alone = start(['attach', '--sig-proxy=false', id]);
    await attached(id, 1);
    const left = finished(alone);
    alone.kill('SIGTERM');
    assert.is((await left).code, 143);
    const child = start(['attach', id]);
    await attached(id, 2);
    const ended = finished(child);
    child.kill('SIGTERM');
    const { code, stdout } = await ended;
    assert.equal([code, stdout], [5, 'caught\n']);
  }),
);

/** The monitor has told of so many clients. */
function attached(id: string, count: number): Promise<void> {
  return eventually(() => {
    const events = readFileSync(join(data, 'events'), 'utf8').split('\n');
    assert.ok(events.filter((line) => line.includes('"action":"attach"') && line.includes(id)).length >= count);
  });
}

live("docker's words for what cannot be attached to", needs, async () => {
  await detached(['--name', 'over'], ['true'], async () => {
    await ok(['wait', 'over']);
    const output = await rootless(['attach', 'over']);
    assert.is(output.code, 1);
    assert.match(output.stderr, /you cannot attach to a stopped container: start it first\n {2}fix: rootless start -a over/);
  });
  await detached(['--name', 'again', '--restart', 'always'], ['sleep', '0.01'], async () => {
    await eventually(async () => {
      // In the moments when it runs there is something to attach to: then this would not end.
      const output = await rootless(['attach', 'again'], { timeout: 10_000 });
      assert.is(output.code, 1);
      assert.match(output.stderr, /restarting container: wait until it is running/);
    });
  });
  assert.match((await rootless(['attach', 'nobody'])).stderr, /no such container: "nobody"/);
  assert.match((await rootless(['attach'])).stderr, /requires exactly 1 argument/);
  assert.match((await rootless(['attach', '--detach-keys', 'ctrl-1', 'x'])).stderr, /invalid detach keys/);
});

live('a terminal shows its prompt again, and what was typed goes to the shell', onTty, () =>
  detached(shell, ['sh'], async (id) => {
    const first = terminal(['attach', id]);
    await first.shows(/\$ /);
    first.type('A=kept; echo $((40 + 2))\r');
    await first.shows(/\r\n42\r\n/);
    first.type('\x10\x11');
    assert.is(await first.ended, 0);
    const second = terminal(['attach', '--latest']);
    second.type('echo "<$A>"; stty size\r');
    await second.shows(/<kept>\r\n24 80/);
    second.resize(40, 132);
    await second.answers('stty size\r', /40 132/);
    second.type('exit 7\r');
    assert.is(await second.ended, 7);
  }),
);

live("keys that interrupt are the program's, and the beginning of the detach keys too", onTty, () => {
  // The prompt comes from what reads, when the shell's trap is no longer its own: a signal before would be lost.
  const read = '(printf "> " >&2; exec dd bs=1 count=1 2>/dev/null) | od -An -tx1';
  return detached(shell, ['sh', '-c', `trap "echo caught" INT; stty -echo -icanon; echo ready; while :; do ${read}; done`], async (id) => {
    await said(id);
    const screen = terminal(['attach', '--detach-keys', 'ctrl-a,b', id]);
    screen.type('\x10');
    await screen.shows(/ 10\s+>/);
    screen.type('\x01c');
    await screen.shows(/ 01\s+> +63\s+>/);
    screen.type('\x03');
    await screen.shows(/caught/);
    screen.type('\x01');
    screen.type('b');
    assert.is(await screen.ended, 0);
    assert.match(await ok(['ps', '--format', '{{.ID}}']), new RegExp(id.slice(0, 12)));
  });
});

live('the terminal is as before after it, whatever ends it', onTty, () =>
  detached(shell, ['sh'], async (id) => {
    for (const [end, expected] of [
      ['\x10\x11', /ended 0/],
      ['SIGTERM', /ended 143/],
      ['SIGHUP', /ended 129/],
    ] as const) {
      const screen = terminalShell('"$@"; echo "ended $?"; read -r line', ['attach', id]);
      await screen.shows(/\$ /);
      await eventually(async () => assert.is((await screen.modes()).canonical, false));
      if (end.startsWith('SIG')) {
        const pid = await screen.pid();
        const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
        process.kill(Number(child), end as NodeJS.Signals);
      } else screen.type(end);
      await screen.shows(expected);
      await eventually(async () => assert.equal(await screen.modes(), { echo: true, canonical: true, signals: true }));
      screen.type('\r');
      assert.is(await screen.ended, 0);
    }
  }),
);

live('a terminal that is closed leaves the container alone', onTty, () =>
  detached(shell, ['sh'], async (id) => {
    const screen = terminal(['attach', id]);
    await screen.shows(/\$ /);
    screen.kill(9);
    await screen.ended;
    assert.is(await ok(['exec', id, 'echo', 'alive']), 'alive\n');
    const again = terminal(['attach', id]);
    await again.shows(/\$ /);
    again.type('exit\r');
    assert.is(await again.ended, 0);
  }),
);

live('a listener that stalls is waited for, and gets everything', needs, () =>
  detached([], ['sh', '-c', `${gate}; yes 0123456789abcde | head -c 8000000; exit 2`], async (id) => {
    const [stalled, other] = [start(['attach', id]), start(['attach', id])];
    await attached(id, 2);
    const ended = [finished(stalled), finished(other)];
    stalled.stdout?.pause();
    await open(id);
    await until(other, '0123456789abcde');
    stalled.stdout?.resume();
    const all = await Promise.all(ended);
    assert.equal(
      all.map(({ code, stdout }) => [code, stdout.length]),
      [
        [2, 8_000_000],
        [2, 8_000_000],
      ],
    );
  }),
);

live('a monitor that was killed is noticed', needs, () =>
  detached(['--name', 'lost'], ['sleep', '300'], async (id) => {
    const child = start(['attach', id]);
    await attached(id, 1);
    const ended = finished(child);
    const status = JSON.parse(readFileSync(`${data}/containers/${id}/status.json`, 'utf8')) as { monitor: { pid: number } };
    process.kill(status.monitor.pid, 'SIGKILL');
    const { code, stderr } = await ended;
    assert.is(code, 125);
    assert.match(stderr, /lost the connection to the container: session: the monitor is gone/);
  }),
);

live.run();
