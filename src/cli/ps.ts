/** `rootless ps`: containers, newest first. */

import { findPaths } from '../paths.ts';
import { listContainers, type Listed } from '../runtime/state.ts';
import { command } from './command.ts';
import { containerRow } from './container-row.ts';
import { formatFlag, render, table } from './format.ts';
import { print } from './output.ts';
import { filterParser, passes } from './values/filter.ts';

const columns = {
  'CONTAINER ID': 'ID',
  IMAGE: 'Image',
  COMMAND: 'Command',
  CREATED: 'RunningFor',
  STATUS: 'Status',
  PORTS: 'Ports',
  NAMES: 'Names',
} as const;

export default command({
  name: 'ps',
  flags: {
    all: { type: 'boolean', alias: 'a', description: 'also those that have ended' },
    quiet: { type: 'boolean', alias: 'q', description: 'ids only' },
    latest: { type: 'boolean', alias: 'l', description: 'only the newest, running or not' },
    filter: {
      type: 'string',
      alias: 'f',
      valueHint: 'KEY=VALUE',
      repeat: true,
      parse: filterParser(['ancestor', 'exited', 'id', 'label', 'name', 'status']),
      description: 'ancestor, exited, id, label, name or status',
    },
    'no-trunc': { type: 'boolean', description: 'do not shorten ids and commands' },
    format: formatFlag,
  },
  words: { usage: '', min: 0, max: 0 },
  examples: ['rootless ps -a --filter status=exited', "rootless ps --format 'table {{.Names}}\\t{{.Status}}'"],
  run: ({ flags, env }) => {
    const now = Date.now();
    // docker: asking for a status or an exit code means all containers.
    const all = flags.all || flags.latest || flags.filter.some(({ key }) => key === 'status' || key === 'exited');
    const found = listContainers(findPaths(env))
      .filter((container) => all || container.status === 'running')
      .filter((container) => passes(flags.filter, (key, value) => matches(container, key, value)))
      .slice(0, flags.latest ? 1 : undefined);
    const rows = found.map((container) => containerRow(container, flags['no-trunc'], now));
    if (flags.quiet) print(rows.map(({ ID }) => `${ID}\n`).join(''));
    else if (flags.format !== undefined) print(render(flags.format, rows, 'list'));
    else print(table([Object.keys(columns), ...rows.map((row) => Object.values(columns).map((field) => String(row[field])))]));
    return 0;
  },
});

function matches(container: Listed, key: string, value: string): boolean {
  switch (key) {
    case 'id':
      return container.id.startsWith(value);
    case 'name':
      return container.name.includes(value);
    case 'status':
      return container.status === value;
    case 'exited':
      return String(container.exit?.code) === value;
    case 'ancestor':
      return container.image === value || container.imageId === value || container.image.split(':')[0] === value;
    default:
      return hasLabel(container.labels, value);
  }
}

/** `label=KEY` or `label=KEY=VALUE`. */
function hasLabel(labels: Readonly<Record<string, string>>, text: string): boolean {
  const equals = text.indexOf('=');
  const key = equals === -1 ? text : text.slice(0, equals);
  return Object.hasOwn(labels, key) && (equals === -1 || labels[key] === text.slice(equals + 1));
}
