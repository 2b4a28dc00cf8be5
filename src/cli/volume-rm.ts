/** `rootless volume rm`: removes volumes that no container has. */

import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { listVolumes } from '../runtime/volume-store.ts';
import { wholeMap } from '../runtime/volume-ids.ts';
import { removeVolume } from '../runtime/volume-remove.ts';
import { readHost } from '../userns/host.ts';
import { command } from './command.ts';
import { print } from './output.ts';
import { report } from './ui.ts';

export default command({
  name: 'volume rm',
  flags: {
    force: { type: 'boolean', alias: 'f', description: 'no error for a volume that is not there' },
    all: { type: 'boolean', alias: 'a', description: 'all that no container has' },
  },
  words: { usage: 'VOLUME [VOLUME...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'volume' },
  examples: ['rootless volume rm data', 'rootless volume rm $(rootless volume ls -qf dangling=true)'],
  run: async ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    if (args.length === 0 && !flags.all) throw nothingNamed();
    const idMap = wholeMap(readHost(searchPath(env)));
    let code = 0;
    for (const name of flags.all ? listVolumes(paths).map((volume) => volume.name) : args) {
      try {
        await removeVolume(paths, name, idMap);
        print(`${name}\n`);
      } catch (error) {
        const { code: what } = error as RootlessError;
        if ((flags.force && what === 'VOLUME_NOT_FOUND') || (flags.all && what === 'VOLUME_IN_USE')) continue;
        report(error, debug);
        code = 1;
      }
    }
    return code;
  },
});

function nothingNamed(): RootlessError {
  return new RootlessError({
    code: 'ARGUMENTS_WRONG',
    message: '"rootless volume rm" requires at least 1 argument',
    fix: 'rootless volume rm VOLUME [VOLUME...]',
  });
}
