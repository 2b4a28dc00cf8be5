/** `stats`: what running containers use, once and as a stream, on a pipe and on a terminal. */

import * as assert from 'uvu/assert';
import { rootless, start, until } from '../support/cli.ts';
import { detached, ok, terminal } from '../support/detached.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox'] as const;

type Raw = {
  readonly source: string;
  readonly cpuPercent: number;
  readonly memory: number;
  readonly tasks: number;
  readonly memoryLimit: number;
};

live('a container that works is seen working, one that sleeps is not', needs, async () => {
  await detached(['--name', 'works'], ['sh', '-c', 'while :; do :; done'], () =>
    detached(['--name', 'sleeps'], ['sleep', '300'], async () => {
      const rows = (await ok(['stats', '--no-stream', '--format', 'json']))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { readonly Name: string; readonly PIDs: string; readonly CPUPerc: string; readonly Raw: Raw });
      const works = rows.find(({ Name }) => Name === 'works');
      const sleeps = rows.find(({ Name }) => Name === 'sleeps');
      assert.ok(works !== undefined && sleeps !== undefined && rows.length === 2);
      assert.ok(works.Raw.cpuPercent > 0 && works.Raw.cpuPercent > 3 * sleeps.Raw.cpuPercent, works.CPUPerc);
      assert.is(sleeps.PIDs, '1');
      assert.ok(sleeps.Raw.memory > 0 && sleeps.Raw.memory < sleeps.Raw.memoryLimit);
      assert.ok(['cgroup', 'proc'].includes(sleeps.Raw.source));
    }),
  );
});

live('the table has the columns that docker has', needs, async () => {
  await ok(['create', '--name', 'still', '--network', 'none', busyboxImage(), 'true']);
  await detached(['--name', 'runs'], ['sleep', '300'], async (id) => {
    const [head, row, more] = (await ok(['stats', '--no-stream'])).split('\n');
    assert.match(
      head ?? '',
      /^CONTAINER ID {3}NAME {3}CPU % {3}MEM USAGE \/ LIMIT {5}MEM % {3}NET I\/O {3}BLOCK I\/O {3}PIDS$|^CONTAINER ID /,
    );
    assert.match(
      row ?? '',
      new RegExp(`^${id.slice(0, 12)} +runs +[0-9.]+% +[0-9.]+\\w+ / [0-9.]+GiB +[0-9.]+% +0B / 0B +[0-9.]+\\w+ / [0-9.]+\\w+ +1$`),
    );
    assert.is(more, '');
    assert.match(await ok(['stats', '--no-stream', '-a', '--format', '{{.Name}} {{.CPUPerc}} {{.PIDs}}']), /^still -- --$/m);
    assert.match(await ok(['container', 'stats', '--no-stream', '--no-trunc', 'runs']), new RegExp(`^${id} `, 'm'));
  });
  assert.match(await ok(['stats', '--no-stream', '--format', '{{.Name}} {{.MemUsage}}', 'still']), /^still -- \/ --$/m);
  await ok(['rm', 'still']);
});

live('a stream goes on until the container is removed', needs, async () => {
  await detached(['--name', 'watched'], ['sleep', '300'], async () => {
    const child = start(['stats', '--interval', '0.2', '--format', '{{.Name}} {{.PIDs}}', 'watched']);
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    await until(child, 'watched 1\nwatched 1\n');
    await ok(['rm', '-f', '-t', '0', 'watched']);
    assert.is(await ended, 0);
  });
});

live('on a terminal the table stays where it is', [...needs, 'python'], async () => {
  await detached(['--name', 'shown'], ['sleep', '300'], async () => {
    const screen = terminal(['stats', '--interval', '0.2', 'shown']);
    await screen.shows(/\x1b\[H[\s\S]*shown[\s\S]*\x1b\[H[\s\S]*shown/);
    assert.match(screen.screen, /\x1b\[K/);
    assert.not.match(screen.screen, /\x1b\[2J[\s\S]*\x1b\[2J/);
    screen.type('\x03');
    await screen.ended;
  });
});

for (const args of [
  ['stats', 'nosuch'],
  ['stats', '--interval', '0'],
  ['stats', '--interval', 'x'],
  ['stats', '--format', '{{nosuch .Name}}'],
]) {
  live(`${args.join(' ')} is refused`, [], async () => {
    const { code, stderr } = await rootless(args);
    assert.ok(code !== 0);
    assert.match(stderr, /^rootless: /);
  });
}

live('nothing that runs is an empty table', [], async () => {
  assert.is((await ok(['stats', '--no-stream'])).trim().split('\n').length, 1);
});

live.run();
