/** Restart policies: when a program that ended is started again, when not, and what a user's word changes. */

import * as assert from 'uvu/assert';
import { rootless } from '../support/cli.ts';
import { detached, ok } from '../support/detached.ts';
import { eventually } from '../support/eventually.ts';
import { live } from '../support/live.ts';

const needs = ['userns', 'busybox'] as const;
const count = async (name: string) => Number(await ok(['inspect', '--format', '{{.RestartCount}}', name]));
const state = async (name: string) => (await ok(['inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', name])).trim();

live('on-failure:2 tries three times in all, and keeps the last code', needs, () =>
  detached(['--name', 'tries', '--restart', 'on-failure:2'], ['sh', '-c', 'echo try; exit 4'], async () => {
    assert.is(await ok(['wait', 'tries']), '4\n');
    assert.is(await ok(['logs', 'tries']), 'try\ntry\ntry\n');
    assert.is(await count('tries'), 2);
    assert.is(await state('tries'), 'exited 4');
  }),
);

live('on-failure is content with success', needs, () =>
  detached(['--name', 'content', '--restart', 'on-failure'], ['sh', '-c', 'test -f /again && exit 0; touch /again; exit 1'], async () => {
    assert.is(await ok(['wait', 'content']), '0\n');
    assert.is(await count('content'), 1);
  }),
);

live('always starts again what ended well, until it is stopped', needs, () =>
  detached(['--name', 'ever', '--restart', 'always'], ['true'], async () => {
    await eventually(async () => assert.ok((await count('ever')) > 1));
    await ok(['stop', '-t', '0', 'ever']);
    const last = await count('ever');
    assert.match(await state('ever'), /^exited/);
    assert.match(await ok(['start', 'ever']), /ever/);
    await eventually(async () => assert.ok((await count('ever')) !== last));
  }),
);

live('a signal that a user sends is a wish to end', needs, () =>
  detached(['--name', 'wish', '--restart', 'always'], ['sleep', '300'], async () => {
    await ok(['kill', 'wish']);
    assert.is(await state('wish'), 'exited 137');
    await ok(['start', 'wish']);
    await ok(['kill', '-s', 'TERM', 'wish']);
    await eventually(async () => assert.is(await state('wish'), 'exited 143'));
  }),
);

live('kill ends one that waits for its next life', needs, () =>
  detached(['--name', 'waits', '--restart', 'always'], ['false'], async () => {
    await eventually(async () => assert.match(await state('waits'), /^restarting/));
    await ok(['kill', 'waits']);
    assert.match(await state('waits'), /^exited/);
  }),
);

live('update changes the policy while it runs', needs, () =>
  detached(['--name', 'changed', '--restart', 'always'], ['sh', '-c', 'sleep 0.2; exit 3'], async () => {
    await ok(['update', '--restart', 'no', 'changed']);
    await eventually(async () => assert.is(await state('changed'), 'exited 3'));
    assert.is((await ok(['inspect', '--format', '{{.HostConfig.RestartPolicy.Name}}', 'changed'])).trim(), 'no');
    assert.match((await rootless(['update', 'changed'])).stderr, /one or more flags/);
  }),
);

live('a container that is removed at its end has no policy', needs, async () => {
  for (const policy of ['always', 'on-failure:2', 'unless-stopped']) {
    const output = await rootless(['run', '-d', '--rm', '--restart', policy, 'image']);
    assert.is(output.code, 125);
    assert.match(output.stderr, /cannot specify both --restart and --rm/);
  }
  await detached(['--rm', '--name', 'once'], ['sleep', '300'], async () => {
    assert.match((await rootless(['update', '--restart', 'always', 'once'])).stderr, /AutoRemove/);
    await ok(['restart', '-t', '0', 'once']);
    assert.is(await state('once'), 'running 0', 'a restart is no end');
  });
});

live('an unhealthy container is killed, restarted or stopped, as was asked', needs, async () => {
  const check = ['--health-cmd', 'false', '--health-interval', '50ms', '--health-retries', '1'];
  await detached(['--name', 'sick', ...check, '--health-on-failure', 'kill'], ['sleep', '300'], async () => {
    assert.is(await ok(['wait', 'sick']), '137\n');
  });
  await detached(['--name', 'sick', ...check], ['sleep', '300'], async () => {
    assert.is(await ok(['wait', '--condition', 'unhealthy', 'sick']), '-1\n');
    assert.is(await state('sick'), 'running 0');
  });
});

live.run();
