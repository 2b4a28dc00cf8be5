/** `rootless volume ls`: volumes by name. */

import { findPaths } from '../paths.ts';
import { listVolumes } from '../runtime/volume-store.ts';
import { command } from './command.ts';
import { formatFlag, render, table } from './format.ts';
import { print } from './output.ts';
import { listFilter, volumeTest } from './volume-filter.ts';
import { volumeRow } from './volume-row.ts';

export default command({
  name: 'volume ls',
  flags: {
    quiet: { type: 'boolean', alias: 'q', description: 'names only' },
    filter: {
      type: 'string',
      alias: 'f',
      valueHint: 'KEY=VALUE',
      repeat: true,
      parse: listFilter,
      description: 'dangling, driver, label, name or until',
    },
    noheading: { type: 'boolean', alias: 'n', description: 'no line of headings' },
    format: formatFlag,
  },
  words: { usage: '', min: 0, max: 0 },
  examples: ['rootless volume ls -q --filter dangling=true', "rootless volume ls --format '{{.Name}}: {{.Mountpoint}}'"],
  run: ({ flags, env }) => {
    const paths = findPaths(env);
    const volumes = listVolumes(paths).filter(volumeTest(paths, flags.filter));
    if (flags.quiet) print(volumes.map(({ name }) => `${name}\n`).join(''));
    else if (flags.format !== undefined) print(render(flags.format, volumes.map(volumeRow), 'list'));
    else print(table([...(flags.noheading ? [] : [['DRIVER', 'VOLUME NAME']]), ...volumes.map(({ name }) => ['local', name])]));
    return 0;
  },
});
