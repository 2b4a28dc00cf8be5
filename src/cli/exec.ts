/** `rootless exec`: one more program in a running container. */

import { RootlessError } from '../errors.ts';
import { findPaths, type Paths } from '../paths.ts';
import { execIn } from '../runtime/exec.ts';
import { findContainer, latestContainer, type Listed } from '../runtime/state.ts';
import { isTerminal } from '../tty.ts';
import { command } from './command.ts';
import { inputNotTty } from './terminal.ts';
import { BadValue } from './values/bad.ts';
import { lookUp, parseEnv } from './values/env.ts';
import { parseKeys } from './values/keys.ts';
import { parseWorkdir } from './values/path.ts';

export default command({
  name: 'exec',
  flags: {
    interactive: { type: 'boolean', alias: 'i', description: 'keep standard input open' },
    tty: { type: 'boolean', alias: 't', description: 'give it a terminal' },
    detach: { type: 'boolean', alias: 'd', description: 'do not wait for it' },
    env: {
      type: 'string',
      alias: 'e',
      valueHint: 'NAME[=VALUE]',
      repeat: true,
      parse: parseEnv,
      description: "set a variable; NAME alone copies the host's",
    },
    'env-file': { type: 'string', valueHint: 'FILE', repeat: true, description: 'set the variables in FILE' },
    workdir: { type: 'string', alias: 'w', valueHint: 'DIR', parse: parseWorkdir, description: 'start in this folder' },
    user: { type: 'string', alias: 'u', valueHint: 'USER[:GROUP]', description: 'run as this user of the container' },
    privileged: { type: 'boolean', description: 'all capabilities of the container, and no filter of system calls' },
    'detach-keys': { type: 'string', valueHint: 'KEYS', parse: parseKeys, description: 'keys that leave it (default ctrl-p,ctrl-q)' },
    'preserve-fds': {
      type: 'string',
      valueHint: 'N',
      parse: parseDescriptors,
      hidden: true,
      description: 'open descriptors to hand on: only 0',
    },
    latest: { type: 'boolean', alias: 'l', description: 'in the newest container' },
  },
  words: { usage: 'CONTAINER COMMAND [ARG...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'container' },
  stop: true,
  examples: [
    'rootless exec -it web sh',
    'rootless exec -u postgres db psql -c "select 1"',
    'rootless exec -d web sh -c "sleep 60; reload"',
  ],
  run: async ({ flags, args, env, front }) => {
    const paths = findPaths(env);
    const { interactive, tty, detach, workdir, user, privileged } = flags;
    const { container, words } = choose(paths, args, flags.latest);
    if (interactive && tty && !detach && !isTerminal(0)) throw inputNotTty();
    const files = flags['env-file'].length > 0 ? await readFiles(flags['env-file']) : [];
    return execIn(paths, container, {
      ...{ command: words, interactive, tty, detach, workdir, user, privileged },
      env: lookUp([...files, ...flags.env], env),
      detachKeys: flags['detach-keys'],
      front,
    });
  },
});

function choose(paths: Paths, args: readonly string[], latest: boolean): { readonly container: Listed; readonly words: readonly string[] } {
  const words = latest ? args : args.slice(1);
  if (words.length === 0) {
    throw new RootlessError({
      code: 'ARGUMENTS_WRONG',
      message: `"rootless exec" requires at least ${latest ? '1 argument' : '2 arguments'}`,
      fix: `rootless exec ${latest ? '--latest' : 'CONTAINER'} COMMAND [ARG...]`,
    });
  }
  return { container: latest ? latestContainer(paths) : findContainer(paths, args[0] ?? ''), words };
}

async function readFiles(files: readonly string[]): Promise<string[]> {
  const { readKeys } = await import('./run-options.ts');
  return files.flatMap((file) => readKeys('env-file', file));
}

function parseDescriptors(text: string): number {
  if (text === '0') return 0;
  if (!/^\d+$/.test(text)) throw new BadValue(`invalid number: "${text}"`);
  throw new BadValue('a container that runs is given no more descriptors', { fix: 'cat FILE | rootless exec -i …' });
}
