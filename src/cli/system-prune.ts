/** `rootless system prune`: removes stopped containers, networks and images that nothing uses, and with --volumes anonymous volumes. */

import { findPaths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { tellEvent } from '../runtime/events.ts';
import { removeContainer } from '../runtime/remove.ts';
import { containerSizes } from '../runtime/sizes.ts';
import { isActive, listContainers } from '../runtime/state.ts';
import { pruneNetworks } from '../runtime/network-remove.ts';
import { pruneVolumes } from '../runtime/volume-prune.ts';
import { command } from './command.ts';
import { confirm } from './confirm.ts';
import { containerFilter, parseContainerFilter } from './container-filter.ts';
import { size } from './format.ts';
import { pruneImages } from './image-prune.ts';
import { collectUnused } from './image-uses.ts';
import { networkTest } from './network-filter.ts';
import { print } from './output.ts';
import { report } from './ui.ts';
import { filterParser } from './values/filter.ts';
import { volumeTest } from './volume-filter.ts';

const checkKey = filterParser(['label', 'label!', 'until']);

export default command({
  name: 'system prune',
  flags: {
    all: { type: 'boolean', alias: 'a', description: 'all images that no container uses, not only those without a tag' },
    volumes: { type: 'boolean', description: 'anonymous volumes too' },
    force: { type: 'boolean', alias: 'f', description: 'do not ask' },
    filter: {
      type: 'string',
      valueHint: 'KEY=VALUE',
      repeat: true,
      parse: (text: string) => {
        checkKey(text);
        return parseContainerFilter(text);
      },
      description: 'only some: until=24h, label=KEY[=VALUE], label!=KEY',
    },
  },
  words: { usage: '', min: 0, max: 0 },
  examples: ['rootless system prune -f', 'rootless system prune -a --volumes'],
  run: async ({ flags, debug, env }) => {
    const paths = findPaths(env);
    if (!flags.force) confirm(warning(flags.all, flags.volumes));
    const { filter } = flags;
    let [freed, code] = [0, 0];
    const gone: string[] = [];
    const fits = containerFilter(filter, { paths, now: Date.now(), isMadeFrom: () => false });
    for (const container of listContainers(paths).filter((one) => !isActive(one) && fits(one))) {
      try {
        const { written } = await containerSizes(paths, container);
        await removeContainer(paths, container, { force: false });
        freed += written;
        gone.push(container.id);
      } catch (error) {
        code = report(error, debug);
      }
    }
    if (gone.length > 0) print(`Deleted Containers:\n${gone.map((id) => `${id}\n`).join('')}\n`);
    const networks = await pruneNetworks(paths, networkTest(paths, filter));
    if (networks.length > 0) print(`Deleted Networks:\n${networks.map((name) => `${name}\n`).join('')}\n`);
    if (flags.volumes) {
      const test = volumeTest(paths, filter);
      const { removed, freed: bytes } = await pruneVolumes(paths, searchPath(env), (volume) => volume.anonymous && test(volume));
      freed += bytes;
      if (removed.length > 0) print(`Deleted Volumes:\n${removed.map((name) => `${name}\n`).join('')}\n`);
    }
    const { untagged, deleted } = await pruneImages(paths, flags.all, filter);
    freed += await collectUnused(paths, env);
    const lines = [...untagged.map((name) => `untagged: ${name}\n`), ...deleted.map((id) => `deleted: ${id}\n`)];
    if (lines.length > 0) print(`Deleted Images:\n${lines.join('')}\n`);
    tellEvent(paths, { type: 'daemon', action: 'prune', id: '', attributes: { reclaimed: String(freed) } });
    print(`Total reclaimed space: ${size(freed)}\n`);
    return code;
  },
});

function warning(all: boolean, volumes: boolean): string {
  return [
    'This will remove:',
    '  - all stopped containers',
    '  - all networks not used by at least one container',
    ...(volumes ? ['  - all anonymous volumes not used by at least one container'] : []),
    `  - all ${all ? 'images without at least one container associated to them' : 'dangling images'}`,
    '  - layers that no image and no container uses',
    '',
  ].join('\n');
}
