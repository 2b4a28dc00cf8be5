/** `rootless ps`: containers, newest first. */

import { findPaths, type Paths } from '../paths.ts';
import { listActive, listContainers, type Listed } from '../runtime/state.ts';
import { command } from './command.ts';
import { containerFilter, containerFilterFlag } from './container-filter.ts';
import { ancestry } from './container-images.ts';
import { containerHeadings, containerRow } from './container-row.ts';
import { type Format, formatFlag, mentions, render, type Row, size, table } from './format.ts';
import { print } from './output.ts';
import { notice } from './notice.ts';
import { BadValue } from './values/bad.ts';

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
    all: { type: 'boolean', alias: 'a', description: 'also those that do not run' },
    quiet: { type: 'boolean', alias: 'q', description: 'ids only' },
    latest: { type: 'boolean', alias: 'l', description: 'only the newest, running or not' },
    last: { type: 'string', alias: 'n', valueHint: 'COUNT', parse: parseCount, description: 'the newest COUNT, running or not' },
    filter: containerFilterFlag,
    size: { type: 'boolean', alias: 's', description: 'how much each has written, and its whole size' },
    'no-trunc': { type: 'boolean', description: 'do not shorten ids and commands' },
    noheading: { type: 'boolean', description: 'leave out the headings' },
    format: formatFlag,
  },
  words: { usage: '', min: 0, max: 0 },
  examples: ['rootless ps -a --filter status=exited', "rootless ps --format 'table {{.Names}}\\t{{.Status}}'"],
  run: async ({ flags, env }) => {
    const paths = findPaths(env);
    const now = Date.now();
    const count = flags.latest ? 1 : flags.last;
    // docker: asking for a status or an exit code means all containers.
    const all = flags.all || count !== undefined || flags.filter.some(({ key }) => key === 'status' || key === 'exited');
    const wanted = containerFilter(flags.filter, { paths, now, isMadeFrom: ancestry(paths) });
    const found = (all ? listContainers(paths) : listActive(paths)).filter(wanted).slice(0, count);
    const full = flags['no-trunc'];
    if (flags.quiet) {
      if (flags.format?.kind === 'template') notice('--format is ignored: --quiet is set too');
      print(found.map(({ id }) => `${full ? id : id.slice(0, 12)}\n`).join(''));
      return 0;
    }
    const sizes = flags.size || mentionsSize(flags.format) ? await sizesOf(paths, found) : undefined;
    const rows = found.map((container) => containerRow(container, { full, now, size: ({ id }) => sizes?.get(id) ?? '0B' }));
    if (flags.format !== undefined) print(render(flags.format, rows, 'list', containerHeadings));
    else print(toTable(rows, flags.size, !flags.noheading));
    return 0;
  },
});

function toTable(rows: readonly Row[], withSize: boolean, withHead: boolean): string {
  const shown = withSize ? { ...columns, SIZE: 'Size' } : columns;
  const lines = rows.map((row) => Object.values(shown).map((field) => String(row[field])));
  return table(withHead ? [Object.keys(shown), ...lines] : lines);
}

function mentionsSize(format: Format | undefined): boolean {
  return format?.kind === 'template' && mentions(format.template, 'Size');
}

/** docker's `12kB (virtual 7.8MB)`. */
async function sizesOf(paths: Paths, containers: readonly Listed[]): Promise<ReadonlyMap<string, string>> {
  const { containerSizes } = await import('../runtime/sizes.ts');
  const found = new Map<string, string>();
  for (const container of containers) {
    const { written, whole } = await containerSizes(paths, container);
    found.set(container.id, whole > 0 ? `${size(written)} (virtual ${size(whole)})` : size(written));
  }
  return found;
}

/** docker: -1 is all. */
function parseCount(text: string): number | undefined {
  if (!/^-?\d{1,9}$/.test(text)) throw new BadValue(`"${text}" is not a whole number`);
  return Number(text) < 0 ? undefined : Number(text);
}
