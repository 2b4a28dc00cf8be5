/** `rootless unshare`: a shell, or a command, with the ids that containers have; files of theirs can be read and removed there. */

import { constants } from 'node:os';
import { type HelperProcess, startHelper } from '../helper.ts';
import { findPaths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { explain } from '../runtime/explain.ts';
import { gatherFacts } from '../runtime/explain-facts.ts';
import { slotsInUse } from '../runtime/slots.ts';
import { chooseMapping } from '../userns/choose.ts';
import { asCaller } from '../umask.ts';
import { readHost } from '../userns/host.ts';
import { command } from './command.ts';
import { notice } from './notice.ts';
import { parseUserns } from './values/userns.ts';

/** The terminal sends these to the command as well; the rest is for us alone and is passed on. */
const fromKeyboard = ['SIGINT', 'SIGQUIT'] as const;
const passedOn = ['SIGTERM', 'SIGHUP'] as const;

export default command({
  name: 'unshare',
  flags: {
    userns: {
      type: 'string',
      valueHint: 'MODE',
      parse: parseUserns,
      choices: ['host', 'keep-id', 'nomap', 'auto'],
      description: 'ids: host (the default), keep-id, nomap or auto',
    },
  },
  words: { usage: '[COMMAND] [ARG...]', min: 0, max: Number.POSITIVE_INFINITY },
  stop: true,
  examples: ['rootless unshare', 'rootless unshare rm -rf ./made-by-a-container', 'rootless unshare cat /proc/self/uid_map'],
  run: async ({ flags, args, env }) => {
    const paths = findPaths(env);
    const host = readHost(searchPath(env));
    const { idMap, notice: hint } = chooseMapping(flags.userns ?? { kind: 'host' }, host, slotsInUse(paths));
    if (hint !== undefined) notice(hint);
    const argv = args.length > 0 ? args : [env['SHELL'] || '/bin/sh'];
    const ignore = () => undefined;
    // Before the helper is there: a signal of its first moment is heard when it is.
    let started: HelperProcess | undefined;
    const pass = (name: NodeJS.Signals) => void started?.child.kill(constants.signals[name]);
    for (const name of fromKeyboard) process.on(name, ignore);
    for (const name of passedOn) process.on(name, pass);
    try {
      const words = ['unshare', '--idmap', JSON.stringify(idMap), '--', ...argv];
      started = asCaller(() => startHelper(paths, words, ['inherit', 'inherit', 'inherit']));
      const { failure, code } = await started.done;
      if (failure !== undefined) throw explain(failure, gatherFacts(paths, host));
      return code;
    } finally {
      for (const name of fromKeyboard) process.removeListener(name, ignore);
      for (const name of passedOn) process.removeListener(name, pass);
    }
  },
});
