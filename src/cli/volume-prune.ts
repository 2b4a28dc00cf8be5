/** `rootless volume prune`: removes volumes that no container has. */

import { findPaths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { pruneVolumes } from '../runtime/volume-prune.ts';
import { command } from './command.ts';
import { confirm } from './confirm.ts';
import { size } from './format.ts';
import { print } from './output.ts';
import { isTrue, pruneFilter, volumeTest } from './volume-filter.ts';

export default command({
  name: 'volume prune',
  flags: {
    all: { type: 'boolean', alias: 'a', description: 'also those with a name' },
    force: { type: 'boolean', alias: 'f', description: 'do not ask' },
    filter: {
      type: 'string',
      valueHint: 'KEY=VALUE',
      repeat: true,
      parse: pruneFilter,
      description: 'only some: label=KEY[=VALUE], label!=KEY, until=24h',
    },
  },
  words: { usage: '', min: 0, max: 0 },
  examples: ['rootless volume prune -f', 'rootless volume prune -a --filter label=temporary'],
  run: async ({ flags, env }) => {
    const paths = findPaths(env);
    const all = flags.all || flags.filter.some(({ key, value }) => key === 'all' && isTrue(value));
    const which = all ? 'all local volumes' : 'anonymous local volumes';
    if (!flags.force) confirm(`This will remove ${which} not used by at least one container.`);
    const test = volumeTest(paths, flags.filter);
    const { removed, freed } = await pruneVolumes(paths, searchPath(env), (volume) => (all || volume.anonymous) && test(volume));
    if (removed.length > 0) print(`Deleted Volumes:\n${removed.map((name) => `${name}\n`).join('')}\n`);
    print(`Total reclaimed space: ${size(freed)}\n`);
    return 0;
  },
});
