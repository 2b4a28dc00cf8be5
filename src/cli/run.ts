/** `rootless run`: a new container that is started at once. */

import { isatty } from 'node:tty';
import { RootlessError } from '../errors.ts';
import { isGone } from '../front.ts';
import { run } from '../runtime/lifecycle.ts';
import type { ContainerOptions } from '../runtime/options.ts';
import { begin } from './begin.ts';
import { command, type Input } from './command.ts';
import { print } from './output.ts';
import { runFlags } from './run-flags.ts';
import { toOptions } from './run-options.ts';

type RunInput = Input<typeof runFlags>;

export default command({
  name: 'run',
  flags: runFlags,
  words: { usage: 'IMAGE [COMMAND] [ARG...]', min: 1, max: Number.POSITIVE_INFINITY, complete: 'image' },
  stop: true,
  examples: [
    'rootless run --rm -it debian bash',
    'rootless run -d --name web -p 8080:80 -v ./site:/usr/share/nginx/html:ro nginx',
    'rootless run --rm --network none host: make test',
  ],
  run: start,
});

async function start(input: RunInput): Promise<number> {
  const { flags } = input;
  const { detach } = flags;
  checkTerminal(flags.interactive && flags.tty && !flags['dry-run'] && !detach);
  if (detach && !flags['dry-run']) await warnOfLogout();
  const made = { id: '' };
  const options = withStart(toOptions(input));
  const preserve = await preservedOf(input);
  const attach = flags.attach.length > 0 ? new Set(flags.attach) : undefined;
  const unseen = attach !== undefined && !attach.has('stdout') && !attach.has('stderr');
  if (attach && detach) throw attachDetached();
  const more = { detach, detachKeys: flags['detach-keys'], sigProxy: flags['sig-proxy'], preserve, attach };
  const code = await begin(input, options, (wanted, context) => run(wanted, { ...context, ...more }), {
    created: (id) => {
      made.id = id;
      // docker's: who hears nothing of it is told which one it is, and that it could be started is all there is to say.
      if (unseen) print(`${id}\n`);
    },
    dryRun: flags['dry-run'] ? print : undefined,
  });
  if (!detach || flags['dry-run']) return unseen ? 0 : code;
  if (isGone(input.front)) return await takeBack(input.env, made.id);
  print(`${made.id}\n`);
  return code;
}

/** Whoever waited for its id was killed: nobody will ever ask for it. */
async function takeBack(env: RunInput['env'], id: string): Promise<number> {
  const { findPaths } = await import('../paths.ts');
  const { readContainer } = await import('../runtime/state.ts');
  const { removeContainer } = await import('../runtime/remove.ts');
  const paths = findPaths(env);
  const found = readContainer(paths, id);
  if (found) await removeContainer(paths, found, { force: true, volumes: true });
  return 137;
}

/** Few lines have it. */
async function preservedOf({ flags, env, front }: RunInput) {
  const asked = flags['preserve-fds'];
  if (asked === undefined && env['LISTEN_FDS'] === undefined) return undefined;
  const { parsePreserve, preserved } = await import('./listen.ts');
  return preserved(asked === undefined ? undefined : parsePreserve(asked), env, front, flags.init);
}

async function warnOfLogout(): Promise<void> {
  const { warnLinger } = await import('./linger.ts');
  warnLinger();
}

/** The embedded program says how long its start took; no other image is told the time at which it was asked for. */
function withStart(options: ContainerOptions): ContainerOptions {
  if (!options.image.startsWith('embedded:')) return options;
  return { ...options, env: [`ROOTLESS_STARTED_MS=${performance.timeOrigin}`, ...options.env] };
}

function attachDetached(): RootlessError {
  return new RootlessError({
    code: 'FLAGS_CONFLICT',
    message: 'conflicting options: cannot specify both --attach and --detach',
    why: 'in the background it has no streams of yours',
    fix: 'leave out one; "rootless attach" joins it later',
  });
}

function checkTerminal(wanted: boolean): void {
  if (!wanted || isatty(0)) return;
  throw new RootlessError({
    code: 'INPUT_NOT_TTY',
    message: 'the input device is not a TTY',
    why: '-i and -t together make a terminal of standard input, and it is a file or a pipe',
    fix: 'leave out -t',
  });
}
