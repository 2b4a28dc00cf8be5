/** `rootless container prune`: removes containers that do not run. */

import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { tellEvent } from '../runtime/events.ts';
import { removeContainer } from '../runtime/remove.ts';
import { containerSizes } from '../runtime/sizes.ts';
import { isActive, listContainers } from '../runtime/state.ts';
import { command } from './command.ts';
import { confirm } from './confirm.ts';
import { containerFilter, parseContainerFilter } from './container-filter.ts';
import { size } from './format.ts';
import { print } from './output.ts';
import { report } from './ui.ts';
import { filterParser } from './values/filter.ts';

const spared = new Set(['CONTAINER_RUNNING', 'CONTAINER_PAUSED', 'CONTAINER_NEEDED']);
const checkKey = filterParser(['label', 'label!', 'until']);

export default command({
  name: 'container prune',
  flags: {
    force: { type: 'boolean', alias: 'f', description: 'do not ask' },
    filter: {
      type: 'string',
      valueHint: 'KEY=VALUE',
      repeat: true,
      parse: (text: string) => {
        const filter = parseContainerFilter(text);
        checkKey(`${filter.key}=`);
        return filter;
      },
      choices: ['until=', 'label=', 'label!='],
      description: 'only some: until=24h, label=KEY[=VALUE], label!=KEY',
    },
  },
  words: { usage: '', min: 0, max: 0 },
  examples: ['rootless container prune -f', 'rootless container prune --filter until=24h'],
  run: async ({ flags, debug, env }) => {
    const paths = findPaths(env);
    if (!flags.force) confirm('This will remove all stopped containers.');
    const wanted = containerFilter(flags.filter, { paths, now: Date.now(), isMadeFrom: () => false });
    const removed: string[] = [];
    let [freed, code] = [0, 0];
    for (const container of listContainers(paths)) {
      if (isActive(container) || !wanted(container)) continue;
      try {
        const { written } = await containerSizes(paths, container);
        await removeContainer(paths, container, { force: false });
        freed += written;
        removed.push(container.id);
      } catch (error) {
        // It was started meanwhile, or another that stays needs it.
        if (error instanceof RootlessError && spared.has(error.code)) continue;
        code = report(error, debug);
      }
    }
    tellEvent(paths, { type: 'container', action: 'prune', id: '', attributes: { reclaimed: String(freed) } });
    if (removed.length > 0) print(`Deleted Containers:\n${removed.map((id) => `${id}\n`).join('')}\n`);
    print(`Total reclaimed space: ${size(freed)}\n`);
    return code;
  },
});
