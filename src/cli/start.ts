/** `rootless start`: starts containers that were created or have ended. */

import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { startContainer } from '../runtime/start.ts';
import { findContainer, isActive } from '../runtime/state.ts';
import { command } from './command.ts';
import { chooseContainers, choosing, filterFlag, isTarget, serve } from './containers.ts';
import { startContext } from './start-context.ts';
import { warnLinger } from './linger.ts';
import { parseNotify } from './values/ids.ts';
import { parseKeys } from './values/keys.ts';

export default command({
  name: 'start',
  flags: {
    attach: { type: 'boolean', alias: 'a', description: 'connect its output, wait for its end, and leave with its exit code' },
    interactive: { type: 'boolean', alias: 'i', description: 'connect standard input too' },
    'detach-keys': { type: 'string', valueHint: 'KEYS', parse: parseKeys, description: 'keys that leave it (default ctrl-p,ctrl-q)' },
    'sig-proxy': { type: 'boolean', default: true, description: 'pass signals on to the program' },
    all: { type: 'boolean', description: 'all that do not run' },
    sdnotify: {
      type: 'string',
      valueHint: 'MODE',
      parse: parseNotify,
      choices: ['container', 'conmon', 'healthy', 'ignore'],
      description: 'who tells NOTIFY_SOCKET that it is ready, this time',
    },
    filter: filterFlag,
    ...choosing,
  },
  words: { usage: 'CONTAINER [CONTAINER...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'container' },
  examples: ['rootless start web', 'rootless start -ai shell'],
  run: async ({ flags, args, debug, env, front }) => {
    const paths = findPaths(env);
    const { latest, filter, cidfile } = flags;
    const all = flags.all || filter.length > 0 ? (container: Parameters<typeof isActive>[0]) => !isActive(container) : undefined;
    const targets = await chooseContainers(paths, { command: 'start', args, all, latest, filter, cidfile });
    const { sdnotify: notifyMode, 'detach-keys': detachKeys, 'sig-proxy': sigProxy } = flags;
    const context = { ...startContext(paths, env), detachKeys, sigProxy, notifyMode, front };
    const attach = flags.attach || flags.interactive;
    if (!attach) {
      warnLinger();
      return serve(targets, 1, debug, async ({ id }) => void (await startContainer(id, { attach: false, input: false }, context)));
    }
    if (targets.length > 1) throw tooMany();
    const [target] = targets;
    if (target === undefined) return 0;
    if (!isTarget(target)) throw target;
    const { container } = target;
    const outcome = await startContainer(container.id, { attach, input: flags.interactive && container.options.interactive }, context);
    if (outcome !== undefined) return outcome.detached ? 0 : outcome.code;
    const { attachTo } = await import('../runtime/attach.ts');
    const running = findContainer(paths, container.id);
    return attachTo(paths, running, { input: flags.interactive, sigProxy, detachKeys, front });
  },
});

function tooMany(): RootlessError {
  return new RootlessError({
    code: 'FLAGS_CONFLICT',
    message: 'you cannot start and attach multiple containers at once',
    fix: 'rootless start -a CONTAINER',
  });
}
