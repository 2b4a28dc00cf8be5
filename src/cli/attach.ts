/** `rootless attach`: joins this terminal, or these streams, to a running container's program. */

import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { attachTo } from '../runtime/attach.ts';
import { findContainer, latestContainer } from '../runtime/state.ts';
import { isTerminal } from '../tty.ts';
import { command } from './command.ts';
import { inputNotTty } from './terminal.ts';
import { parseKeys } from './values/keys.ts';

export default command({
  name: 'attach',
  flags: {
    'detach-keys': { type: 'string', valueHint: 'KEYS', parse: parseKeys, description: 'keys that leave it (default ctrl-p,ctrl-q)' },
    'no-stdin': { type: 'boolean', description: 'only listen' },
    'sig-proxy': { type: 'boolean', default: true, description: 'pass signals on to the program' },
    latest: { type: 'boolean', alias: 'l', description: 'the newest container' },
  },
  words: { usage: 'CONTAINER', min: 0, max: 1, complete: 'container' },
  examples: ['rootless attach shell', 'rootless attach --no-stdin web'],
  run: ({ flags, args, env, front }) => {
    const paths = findPaths(env);
    const [word] = args;
    if ((word === undefined) !== flags.latest) throw wrongWords(flags.latest);
    const container = word === undefined ? latestContainer(paths) : findContainer(paths, word);
    const input = !flags['no-stdin'];
    if (input && container.status === 'running' && container.options.tty && container.options.interactive && !isTerminal(0))
      throw inputNotTty();
    return attachTo(paths, container, { input, sigProxy: flags['sig-proxy'], detachKeys: flags['detach-keys'], front });
  },
});

function wrongWords(latest: boolean): RootlessError {
  const message = latest ? '--latest and a container cannot be used together' : '"rootless attach" requires exactly 1 argument';
  return new RootlessError({ code: latest ? 'FLAGS_CONFLICT' : 'ARGUMENTS_WRONG', message, fix: 'rootless attach CONTAINER' });
}
