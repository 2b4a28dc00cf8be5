/** `rootless network rm`: removes networks that no container is on. */

import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { removeNetwork } from '../runtime/network-remove.ts';
import { command } from './command.ts';
import { print } from './output.ts';
import { report } from './ui.ts';

export default command({
  name: 'network rm',
  flags: { force: { type: 'boolean', alias: 'f', description: 'containers leave it first; one that is not there is no error' } },
  words: { usage: 'NETWORK [NETWORK...]', min: 1, max: Number.POSITIVE_INFINITY, complete: 'network' },
  examples: ['rootless network rm front back'],
  run: async ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    let code = 0;
    for (const name of args) {
      try {
        await removeNetwork(paths, name, { force: flags.force, searchPath: searchPath(env) });
        print(`${name}\n`);
      } catch (error) {
        if (flags.force && error instanceof RootlessError && error.code === 'NETWORK_NOT_FOUND') continue;
        code = report(error, debug);
      }
    }
    return code;
  },
});
