/** `rootless search`: tags of a repository, repositories of a registry, or a word on Docker Hub. */

import { fullNames } from '../image/short-names.ts';
import { parsePlace } from '../image/login.ts';
import { familiarName, parseReference } from '../image/reference.ts';
import { readRegistriesConf } from '../image/registries-conf.ts';
import { type Hit, isUnknownRepository, listAttached, listRepositories, listTags, searchByTerm } from '../image/search.ts';
import type { RegistrySettings } from '../image/session.ts';
import { findPaths } from '../paths.ts';
import { command } from './command.ts';
import { formatFlag, type Row, render, size, table } from './format.ts';
import { interruptible } from './interrupt.ts';
import { print } from './output.ts';
import { registryFlags, registrySettings } from './registry-flags.ts';
import { cut } from './text.ts';
import { BadValue } from './values/bad.ts';
import { filterParser, glob, passes } from './values/filter.ts';

export default command({
  name: 'search',
  flags: {
    'list-tags': { type: 'boolean', description: 'tags, also of a name without a registry' },
    referrers: { type: 'boolean', description: 'what is attached to an image: signatures, inventories' },
    limit: { type: 'string', valueHint: 'N', parse: parseLimit, description: 'at most so many lines' },
    filter: {
      type: 'string',
      alias: 'f',
      valueHint: 'KEY=VALUE',
      repeat: true,
      parse: filterParser(['name', 'type', 'stars', 'is-official', 'is-automated']),
      description: 'only some: name=PATTERN, type=MEDIATYPE, stars=N, is-official=true',
    },
    'no-trunc': { type: 'boolean', description: 'do not shorten descriptions' },
    format: formatFlag,
    ...registryFlags,
  },
  words: { usage: 'REGISTRY|REGISTRY/REPOSITORY|TERM', min: 1, max: 1 },
  examples: [
    'rootless search registry.example.com/team/app',
    'rootless search localhost:5000',
    'rootless search --list-tags alpine',
    'rootless search --referrers localhost:5000/app:1',
  ],
  run: async ({ flags, args, given, env }) => {
    const paths = findPaths(env);
    const settings = await registrySettings({ flags, given }, paths);
    const found = await interruptible((signal) =>
      find(args[0] ?? '', { settings, tags: flags['list-tags'], referrers: flags.referrers, limit: flags.limit, signal }),
    );
    const rows = found.rows.filter((row) => passes(flags.filter, (key, value) => matches(row, key, value))).slice(0, flags.limit);
    if (flags.format !== undefined) print(render(flags.format, rows, 'list'));
    else print(toTable(found.kind, rows, flags['no-trunc']));
    return 0;
  },
});

type Wish = {
  readonly settings: RegistrySettings;
  readonly tags: boolean;
  readonly referrers: boolean;
  readonly limit: number | undefined;
  readonly signal: AbortSignal;
};
type Found = { readonly kind: 'tags' | 'repositories' | 'referrers' | 'hits'; readonly rows: readonly Row[] };

/** docker's number of answers to a word. */
const usualHits = 25;

async function find(text: string, wish: Wish): Promise<Found> {
  const { settings, signal } = wish;
  if (wish.referrers) return { kind: 'referrers', rows: await attached(text, wish) };
  const [host = '', ...path] = text.replace(/\/+$/, '').split('/');
  const named = /[.:]|^localhost$/.test(host);
  if (!named && !wish.tags) return findTerm(text, wish);
  if (path.length === 0 && named && !wish.tags)
    return { kind: 'repositories', rows: await repositories(parsePlace(host).registry, '', wish) };
  const [reference] = fullNames(parseReference(text), settings.environment);
  try {
    const tags = await listTags(reference, settings, signal);
    return { kind: 'tags', rows: tags.map((tag) => ({ Name: familiarName(reference), Tag: tag })) };
  } catch (error) {
    if (wish.tags || !isUnknownRepository(error)) throw error;
    // Not a repository: a part of the names of some, perhaps.
    const rows = await repositories(reference.registry, path.join('/'), wish).catch(() => []);
    if (rows.length === 0) throw error;
    return { kind: 'repositories', rows };
  }
}

async function attached(text: string, { settings, signal }: Wish): Promise<Row[]> {
  const [reference] = fullNames(parseReference(text), settings.environment);
  const found = await listAttached(reference, settings, signal);
  return found.map(({ digest, artifactType = '', size: bytes, annotations }) => ({
    Digest: digest,
    ArtifactType: artifactType,
    Size: size(bytes),
    Annotations: annotations,
  }));
}

async function repositories(registry: string, part: string, { settings, signal }: Wish): Promise<Row[]> {
  const names = await listRepositories(registry, settings, signal);
  return names.filter((name) => name.includes(part)).map((name) => ({ Name: `${registry}/${name}` }));
}

/** Every search registry is asked; one that knows no questions is looked through. */
async function findTerm(term: string, wish: Wish): Promise<Found> {
  const { settings, limit = usualHits, signal } = wish;
  const { search } = readRegistriesConf(settings.environment);
  const rows: Row[] = [];
  for (const registry of search.length === 0 ? ['docker.io'] : search) {
    const hits = await searchByTerm(registry, term, limit, settings, signal);
    rows.push(...(hits === undefined ? await repositories(registry, term, wish) : hits.map(toRow)));
  }
  return { kind: 'hits', rows };
}

/** docker's names of fields. */
function toRow({ name, description, stars, official, automated }: Hit): Row {
  return {
    Name: name,
    Description: description,
    StarCount: stars,
    IsOfficial: official ? '[OK]' : '',
    IsAutomated: automated ? '[OK]' : '',
  };
}

function matches(row: Row, key: string, value: string): boolean {
  switch (key) {
    case 'type':
      return row['ArtifactType'] === value;
    case 'stars':
      return Number(row['StarCount'] ?? 0) >= Number(value);
    case 'is-official':
    case 'is-automated': {
      const wanted = value !== 'false' && value !== '0';
      return (row[key === 'is-official' ? 'IsOfficial' : 'IsAutomated'] === '[OK]') === wanted;
    }
    default:
      return glob(value).test(String(row['Tag'] ?? row['Name']));
  }
}

function toTable(kind: Found['kind'], rows: readonly Row[], full: boolean): string {
  const text = (row: Row, key: string) => String(row[key] ?? '');
  const describe = (row: Row) => text(row, 'Description').replace(/\s+/g, ' ');
  if (kind === 'tags') return table([['NAME', 'TAG'], ...rows.map((row) => [text(row, 'Name'), text(row, 'Tag')])]);
  if (kind === 'repositories') return table([['NAME'], ...rows.map((row) => [text(row, 'Name')])]);
  if (kind === 'referrers') {
    return table([['DIGEST', 'TYPE', 'SIZE'], ...rows.map((row) => [text(row, 'Digest'), text(row, 'ArtifactType'), text(row, 'Size')])]);
  }
  return table([
    ['NAME', 'DESCRIPTION', 'STARS', 'OFFICIAL'],
    ...rows.map((row) => [
      text(row, 'Name'),
      full ? describe(row) : cut(describe(row), 45),
      text(row, 'StarCount'),
      text(row, 'IsOfficial'),
    ]),
  ]);
}

function parseLimit(text: string): number {
  if (/^[0-9]{1,6}$/.test(text) && Number(text) > 0) return Number(text);
  throw new BadValue('must be a number from 1 up');
}
