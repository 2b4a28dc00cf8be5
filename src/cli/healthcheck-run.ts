/** `rootless healthcheck run`: checks a container's health now, and says it by the exit code. */

import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { planHealth } from '../runtime/health.ts';
import { askMonitor } from '../runtime/monitor-client.ts';
import { findContainer, type Listed } from '../runtime/state.ts';
import { command } from './command.ts';
import { print } from './output.ts';

export default command({
  name: 'healthcheck run',
  flags: {},
  words: { usage: 'CONTAINER', min: 1, max: 1, complete: 'container' },
  examples: ['rootless healthcheck run web && echo healthy'],
  run: async ({ args, env }) => {
    const paths = findPaths(env);
    const container = findContainer(paths, args[0] ?? '');
    checkPossible(container);
    const answer = await askMonitor(paths, container.id, { op: 'health' });
    if (answer === undefined) throw notRunning(container);
    if (answer.exitCode === 0) return 0;
    print(`${answer.status ?? 'unhealthy'}\n`);
    return 1;
  },
});

function checkPossible(container: Listed): void {
  const { options, base, name, status } = container;
  if (planHealth(options.health, base.kind === 'layers' ? base.defaults.healthcheck : undefined) === undefined) {
    throw new RootlessError({
      code: 'HEALTHCHECK_NONE',
      message: `container "${name}" has no defined healthcheck`,
      fix: 'rootless run --health-cmd COMMAND, or an image with HEALTHCHECK',
    });
  }
  if (status !== 'running') throw notRunning(container);
}

function notRunning({ name }: Listed): RootlessError {
  return new RootlessError({
    code: 'CONTAINER_NOT_RUNNING',
    message: `container "${name}" is not running`,
    fix: `rootless start ${name}`,
  });
}
