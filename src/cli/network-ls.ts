/** `rootless network ls`: networks by name. */

import { findPaths } from '../paths.ts';
import { listNetworks } from '../runtime/network-store.ts';
import { command } from './command.ts';
import { formatFlag, render, table } from './format.ts';
import { listFilter, networkTest } from './network-filter.ts';
import { modes, networkRow } from './network-row.ts';
import { print } from './output.ts';

export default command({
  name: 'network ls',
  flags: {
    quiet: { type: 'boolean', alias: 'q', description: 'ids only' },
    'no-trunc': { type: 'boolean', description: 'whole ids' },
    filter: {
      type: 'string',
      alias: 'f',
      valueHint: 'KEY=VALUE',
      repeat: true,
      parse: listFilter,
      choices: ['dangling=', 'driver=', 'id=', 'label=', 'name=', 'type=custom', 'type=builtin', 'until='],
      description: 'dangling, driver, id, label, name, type or until',
    },
    noheading: { type: 'boolean', alias: 'n', description: 'no line of headings' },
    format: formatFlag,
  },
  words: { usage: '', min: 0, max: 0 },
  examples: ['rootless network ls -q --filter type=custom', "rootless network ls --format '{{.Name}}: {{.Driver}}'"],
  run: ({ flags, env }) => {
    const paths = findPaths(env);
    const all = [...listNetworks(paths), ...modes].sort((a, b) => (a.name < b.name ? -1 : 1));
    const rows = all.filter(networkTest(paths, flags.filter)).map((network) => networkRow(network, flags['no-trunc']));
    if (flags.quiet) print(rows.map(({ ID }) => `${ID}\n`).join(''));
    else if (flags.format !== undefined) print(render(flags.format, rows, 'list', { ID: 'NETWORK ID' }));
    else {
      const cells = rows.map(({ ID, Name, Driver, Scope }) => [ID, Name, Driver, Scope].map(String));
      print(table([...(flags.noheading ? [] : [['NETWORK ID', 'NAME', 'DRIVER', 'SCOPE']]), ...cells]));
    }
    return 0;
  },
});
