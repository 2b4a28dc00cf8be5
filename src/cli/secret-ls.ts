/** `rootless secret ls`: the secrets that are kept, without their contents. */

import { findPaths } from '../paths.ts';
import { listSecrets, type Secret } from '../runtime/secrets.ts';
import { command } from './command.ts';
import { ago, formatFlag, render, type Row, table } from './format.ts';
import { print } from './output.ts';
import { filterParser, passes } from './values/filter.ts';

export default command({
  name: 'secret ls',
  flags: {
    quiet: { type: 'boolean', alias: 'q', description: 'ids only' },
    filter: {
      type: 'string',
      alias: 'f',
      valueHint: 'KEY=VALUE',
      repeat: true,
      parse: filterParser(['name', 'id']),
      description: 'name or id',
    },
    noheading: { type: 'boolean', alias: 'n', description: 'leave out the headings' },
    format: formatFlag,
  },
  words: { usage: '', min: 0, max: 0 },
  examples: ['rootless secret ls'],
  run: ({ flags, env }) => {
    const now = Date.now();
    const found = listSecrets(findPaths(env)).filter((secret) =>
      passes(flags.filter, (key, value) => (key === 'id' ? secret.id.startsWith(value) : secret.name.includes(value))),
    );
    if (flags.quiet) print(found.map(({ id }) => `${id}\n`).join(''));
    else if (flags.format !== undefined)
      print(
        render(
          flags.format,
          found.map((secret) => row(secret, now)),
          'list',
        ),
      );
    else {
      const head = flags.noheading ? [] : [['ID', 'NAME', 'DRIVER', 'CREATED', 'UPDATED']];
      print(table([...head, ...found.map((secret) => Object.values(row(secret, now)).map(String))]));
    }
    return 0;
  },
});

function row({ id, name, created, updated }: Secret, now: number): Row {
  return { ID: id, Name: name, Driver: 'file', CreatedAt: ago(created, now), UpdatedAt: ago(updated, now) };
}
