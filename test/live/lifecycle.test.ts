/** Create, start, stop, kill, restart, pause, wait, rename, remove: what docker prints and answers, on containers in every state. */

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { data, rootless } from '../support/cli.ts';
import { detached, gate, ok, open, said } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxImage, busyboxRootfs, ociLayout, tarOf } from '../support/images.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;
const sleeper = ['sleep', '300'];
const none = ['--network', 'none'];
const state = async (name: string) => (await ok(['inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', name])).trim();

/** Refused with docker's 1, and a line that says why. */
async function refused(args: readonly string[], said: RegExp, code = 1): Promise<void> {
  const output = await rootless(args);
  assert.is(output.code, code, `${args.join(' ')}: ${output.stderr}`);
  assert.match(output.stderr, said);
  assert.is(output.stdout, '');
}

live('created, running, stopped, started again, removed', needs, async () => {
  const id = (await ok(['create', '--name', 'life', ...none, busyboxImage(), ...sleeper])).trim();
  assert.match(id, /^[0-9a-f]{64}$/);
  assert.is(await state('life'), 'created 0');
  assert.is(await ok(['start', 'life']), 'life\n');
  assert.is(await state('life'), 'running 0');
  assert.is(await ok(['start', 'life']), 'life\n', 'one that runs is no error');
  assert.is(await ok(['stop', '-t', '0', id.slice(0, 5)]), `${id.slice(0, 5)}\n`);
  assert.is(await state('life'), 'exited 137');
  assert.is(await ok(['stop', 'life']), 'life\n', 'one that has ended is no error');
  await ok(['start', 'life']);
  await refused(['rm', 'life'], /container is running/);
  assert.is(await ok(['rm', '-f', 'life']), 'life\n');
  await refused(['start', 'life'], /no such container: "life"/);
});

live('what a container wrote is there when it starts again, and its hostname stays', needs, async () => {
  const script = 'hostname >> /log; cat /log | wc -l; hostname';
  await ok(['create', '--name', 'again', ...none, busyboxImage(), 'sh', '-c', script]);
  const first = await ok(['start', '-a', 'again']);
  const second = await ok(['start', '-a', 'again']);
  assert.is(first.split('\n')[0], '1');
  assert.is(second, first.replace('1', '2'));
  await ok(['rm', 'again']);
});

live('host: starts again where it began, with what it wrote', ['userns', 'overlay'], async () => {
  const script = 'echo x >> /opt/zz-life; wc -l < /opt/zz-life; pwd';
  await ok(['create', '--name', 'hosted', ...none, 'host:', 'sh', '-c', script]);
  const first = await ok(['start', '-a', 'hosted']);
  assert.match(first, /^1\n\//);
  assert.is(await ok(['start', '-a', 'hosted']), first.replace('1', '2'));
  await ok(['rm', 'hosted']);
});

live('start -a leaves with the exit code, -i passes input', needs, async () => {
  await ok(['create', '-i', '--name', 'reader', ...none, busyboxImage(), 'sh', '-c', 'cat; echo err >&2; exit 9']);
  const output = await rootless(['start', '-ai', 'reader'], { input: 'typed\n' });
  assert.equal(output, { code: 9, signal: null, stdout: 'typed\n', stderr: 'err\n' });
  await ok(['rm', 'reader']);
});

live('SIGTERM first, or what the container and the caller want instead; SIGKILL when the time is over', needs, async () => {
  const script = 'trap "exit 3" TERM; trap "exit 4" INT; trap "exit 5" USR1; echo ready; while :; do sleep 0.05; done';
  for (const [made, flags, code] of [
    [[], [], 3],
    [['--stop-signal', 'INT'], [], 4],
    [['--stop-signal', 'INT'], ['-s', 'USR1'], 5],
    [['--stop-signal', 'WINCH', '--stop-timeout', '0'], [], 137],
    [['--stop-signal', 'WINCH'], ['--timeout', '0'], 137],
  ] as const) {
    await detached(['--name', 'trapper', ...made], ['sh', '-c', script], async () => {
      await said('trapper');
      await ok(['stop', ...flags, 'trapper']);
      assert.is(await state('trapper'), `exited ${code}`, `${made} ${flags}`);
    });
  }
});

live("the image's STOPSIGNAL and HEALTHCHECK count, until the caller says otherwise", needs, () =>
  withTmp(async (folder) => {
    const layer = tarOf(busyboxRootfs(join(folder, 'rootfs')));
    const image = ociLayout(join(folder, 'layout'), [layer], {
      Env: ['PATH=/bin'],
      Cmd: ['sh', '-c', 'trap "exit 8" USR2; echo ready; while :; do sleep 0.05; done'],
      StopSignal: 'SIGUSR2',
      Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 5e7 },
    });
    const health = async (name: string) => (await ok(['inspect', '--format', '{{with .State.Health}}{{.Status}}{{end}}', name])).trim();
    await ok(['run', '-d', '--name', 'of-image', ...none, `oci:${image}`]);
    await said('of-image');
    assert.is(await ok(['wait', '--condition', 'healthy', 'of-image']), '-1\n');
    await ok(['stop', 'of-image']);
    assert.is(await state('of-image'), 'exited 8');
    await ok(['run', '-d', '--name', 'other', '--no-healthcheck', '--stop-signal', 'KILL', ...none, `oci:${image}`]);
    assert.is(await health('other'), '');
    await ok(['stop', 'other']);
    assert.is(await state('other'), 'exited 137');
    await ok(['rm', 'of-image', 'other']);
  }),
);

live('start -a joins a container that runs already', needs, () =>
  detached(['--name', 'joined', '-i'], ['sh', '-c', 'read line; echo "got $line"; exit 5'], async () => {
    const output = await rootless(['start', '-ai', 'joined'], { input: 'this\n' });
    assert.equal(output, { code: 5, signal: null, stdout: 'got this\n', stderr: '' });
  }),
);

live('kill sends one signal, and only to what runs', needs, () =>
  detached(['--name', 'victim'], ['sh', '-c', 'trap "echo hup" HUP; echo ready; while :; do sleep 0.05; done'], async () => {
    await said('victim');
    assert.is(await ok(['kill', '-s', 'HUP', 'victim']), 'victim\n');
    assert.is(await state('victim'), 'running 0');
    await said('victim', 'hup');
    assert.is(await ok(['kill', 'victim']), 'victim\n');
    assert.is(await state('victim'), 'exited 137');
    await refused(['kill', 'victim'], /cannot kill container "victim": container is not running/);
    await refused(['kill', '-s', 'NOPE', 'victim'], /invalid signal: NOPE/, 125);
  }),
);

live('restart starts what does not run, and what runs anew', needs, () =>
  detached(['--name', 'twice'], ['sh', '-c', 'echo begun; exec sleep 300'], async () => {
    await said('twice', 'begun');
    const pid = () => ok(['inspect', '--format', '{{.State.Pid}}', 'twice']);
    const first = await pid();
    assert.is(await ok(['restart', '-t', '0', 'twice']), 'twice\n');
    assert.is.not(await pid(), first);
    await ok(['stop', '-t', '0', 'twice']);
    await ok(['restart', 'twice']);
    assert.is(await state('twice'), 'running 0');
    assert.is((await ok(['logs', 'twice'])).split('begun').length, 4);
  }),
);

live('wait prints exit codes, also of several and of what has ended', needs, async () => {
  await detached(['--name', 'three'], ['sh', '-c', 'sleep 0.2; exit 3'], async () => {
    assert.is(await ok(['wait', 'three']), '3\n');
    await detached(['--name', 'four'], ['sh', '-c', 'sleep 0.1; exit 4'], async () => {
      assert.is(await ok(['wait', 'four', 'three']), '4\n3\n');
      assert.is(await ok(['wait', '--condition', 'exited', 'three']), '3\n');
      assert.is(await ok(['wait', '--ignore', 'nobody', 'three']), '-1\n3\n');
      await refused(['wait', 'nobody'], /no such container/);
    });
  });
  await detached(['--name', 'goes', '--rm'], ['sh', '-c', `${gate}; exit 6`], async () => {
    const monitor = (await ok(['inspect', '--format', '{{.Monitor.Pid}}', 'goes'])).trim();
    const files = () => readdirSync(`/proc/${monitor}/fd`).length;
    const before = files();
    const waiting = ok(['wait', 'goes']);
    await eventually(() => assert.ok(files() > before, 'it has asked the monitor'));
    await open('goes');
    assert.is(await waiting, '6\n');
  });
  await detached(['--name', 'leaves', '--rm'], ['sh', '-c', `${gate}; exit 7`], async () => {
    const waiting = ok(['wait', '--condition', 'removed', 'leaves']);
    await open('leaves');
    assert.is(await waiting, '7\n', 'its container is gone when it looks');
    await refused(['wait', 'leaves'], /no such container/);
  });
});

live('a name can change, and belongs to one', needs, () =>
  detached(['--name', 'old'], sleeper, async (id) => {
    await ok(['rename', 'old', 'new']);
    await refused(['stop', 'old'], /no such container/);
    assert.is(await ok(['ps', '--format', '{{.Names}}', '--filter', `id=${id}`]), 'new\n');
    await refused(['rename', 'new', 'new'], /has that name already/);
    await refused(['rename', 'new', '-x'], /requires exactly 2|unknown shorthand|invalid container name/, 125);
    await ok(['create', '--name', 'old', ...none, busyboxImage(), 'true']);
    await refused(['rename', 'new', 'old'], /"old" is already in use/, 125);
    await ok(['rm', 'old']);
  }),
);

live('run --replace takes the place of what has the name', needs, () =>
  detached(['--name', 'place'], sleeper, async (id) => {
    await refused(['run', '-d', '--name', 'place', ...none, busyboxImage(), 'true'], /already in use/, 125);
    const next = (await ok(['run', '-d', '--replace', '--name', 'place', ...none, busyboxImage(), ...sleeper])).trim();
    assert.is.not(next, id);
    assert.is((await rootless(['container', 'exists', id])).code, 1);
    await ok(['rm', '-f', 'place']);
  }),
);

live('required containers are started first, and stay as long as they are needed', needs, async () => {
  await ok(['create', '--name', 'base', ...none, busyboxImage(), ...sleeper]);
  await ok(['create', '--name', 'top', '--requires', 'base', ...none, busyboxImage(), ...sleeper]);
  await ok(['start', 'top']);
  assert.is(await state('base'), 'running 0');
  await refused(['rm', '-f', 'base'], /other containers need it/);
  assert.is(await ok(['rm', '-f', '--depend', '-t', '0', 'base']), 'base\n');
  assert.is((await rootless(['container', 'exists', 'top'])).code, 1);
  await ok(['create', '--name', 'base', ...none, busyboxImage(), ...sleeper]);
  await ok(['run', '-d', '--name', 'top', '--requires', 'base', ...none, busyboxImage(), ...sleeper]);
  assert.is(await state('base'), 'running 0');
  await refused(['rm', '-f', 'base'], /other containers need it/);
  await ok(['rm', '-f', '-t', '0', 'top']);
  await ok(['rm', '-f', '-t', '0', 'base']);
  await refused(['create', '--requires', 'nobody', busyboxImage()], /no such container/, 125);
});

live('--all, --latest, --filter, --cidfile and --ignore choose', needs, () =>
  withTmp(async (folder) => {
    const made: string[] = [];
    for (const name of ['a1', 'a2', 'a3']) {
      made.push((await ok(['create', '--name', name, '-l', 'set=many', ...none, busyboxImage(), ...sleeper])).trim());
    }
    const short = made.map((id) => id.slice(0, 12));
    assert.is(await ok(['start', '--filter', 'name=a[12]']), `${short[1]}\n${short[0]}\n`);
    assert.is(await ok(['start', '-l']), `${short[2]}\n`);
    writeFileSync(join(folder, 'cid'), `${made[0]}\n`);
    assert.is(await ok(['kill', '--cidfile', join(folder, 'cid')]), `${made[0]}\n`);
    assert.is(await ok(['stop', '-t', '0', '--all']), `${short[2]}\n${short[1]}\n`);
    assert.is(await ok(['stop', '--ignore', 'nobody']), '');
    await refused(['stop', '--all', 'a1'], /cannot be used together/, 125);
    await refused(['stop'], /requires at least 1 argument/, 125);
    await refused(['start', '--filter', 'nope=1'], /invalid filter/, 125);
    await refused(['rm', 'a1', '--cidfile', join(folder, 'none')], /cannot read container id file/, 125);
    assert.is((await ok(['rm', '--all', '--filter', 'label=set=many'])).split('\n').length, 4);
  }),
);

live('what failed to start is kept with its error, and can be started later', needs, async () => {
  await withTmp(async (folder) => {
    await ok(['create', '--name', 'broken', ...none, '-v', `${folder}/bin:/extra:ro`, busyboxImage(), '/extra/tool']);
    const output = await rootless(['start', 'broken']);
    assert.is(output.code, 127);
    assert.match(output.stderr, /"\/extra\/tool"/);
    assert.is(await state('broken'), 'created 127');
    writeFileSync(join(folder, 'bin', 'tool'), '#!/bin/sh\necho mended\n', { mode: 0o755 });
    assert.is(await ok(['start', '-a', 'broken']), 'mended\n');
    assert.is(await state('broken'), 'exited 0');
    await ok(['rm', 'broken']);
  });
});

live('nothing of a container that could not be made stays', needs, async () => {
  const before = readdirSync(join(data, 'containers'));
  for (const flags of [
    ['--cap-add', 'NOPE'],
    ['--ulimit', 'nope=1'],
    ['--requires', 'nobody'],
    ['--name', '-'],
  ]) {
    await refused(['create', ...flags, ...none, busyboxImage(), 'true'], /./, 125);
  }
  await refused(['run', '-d', '--secret', 'nobody', ...none, busyboxImage(), 'true'], /no such secret/, 125);
  await refused(['run', '-d', '--tz', 'No/Where', ...none, busyboxImage(), 'true'], /unknown time zone/, 125);
  await refused(['run', '-d', ...none, busyboxImage(), 'no-such-program'], /command not found/, 127);
  assert.equal(readdirSync(join(data, 'containers')), before);
});

live.run();
