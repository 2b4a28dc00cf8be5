/** `rootless network prune`: removes networks that no container is on. */

import { findPaths } from '../paths.ts';
import { tellEvent } from '../runtime/events.ts';
import { pruneNetworks } from '../runtime/network-remove.ts';
import { command } from './command.ts';
import { confirm } from './confirm.ts';
import { networkTest, pruneFilter } from './network-filter.ts';
import { print } from './output.ts';

export default command({
  name: 'network prune',
  flags: {
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
  examples: ['rootless network prune -f', 'rootless network prune --filter until=24h'],
  run: async ({ flags, env }) => {
    const paths = findPaths(env);
    if (!flags.force) confirm('This will remove all custom networks not used by at least one container.');
    const removed = await pruneNetworks(paths, networkTest(paths, flags.filter));
    if (removed.length > 0) print(`Deleted Networks:\n${removed.map((name) => `${name}\n`).join('')}\n`);
    tellEvent(paths, { type: 'network', action: 'prune', id: '', attributes: { reclaimed: '0' } });
    return 0;
  },
});
