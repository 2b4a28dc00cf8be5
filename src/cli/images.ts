/** `rootless images`: what is in the store. */

import { hexOf } from '../image/digest.ts';
import { type ImageFacts, imageFacts } from '../image/facts.ts';
import { formatPlatform } from '../image/platform.ts';
import { findPaths } from '../paths.ts';
import { command } from './command.ts';
import { ago, formatFlag, type Row, render, size, table } from './format.ts';
import { print } from './output.ts';
import { filterParser } from './values/filter.ts';

const headings = { ID: 'IMAGE ID', CreatedSince: 'CREATED', CreatedAt: 'CREATED AT', SharedSize: 'SHARED SIZE', UniqueSize: 'UNIQUE SIZE' };

export default command({
  name: 'images',
  flags: {
    all: { type: 'boolean', alias: 'a', hidden: true, description: 'no image is hidden: nothing changes' },
    quiet: { type: 'boolean', alias: 'q', description: 'ids only' },
    digests: { type: 'boolean', description: 'show digests' },
    'no-trunc': { type: 'boolean', description: 'do not shorten ids' },
    filter: {
      type: 'string',
      alias: 'f',
      valueHint: 'KEY=VALUE',
      repeat: true,
      parse: filterParser(['after', 'before', 'dangling', 'label', 'reference', 'since', 'until']),
      description: 'only some: dangling=true, label=KEY[=VALUE], reference=PATTERN, before=IMAGE, since=IMAGE, until=TIME',
    },
    format: formatFlag,
  },
  words: { usage: '[REPOSITORY[:TAG]]', min: 0, max: 1, complete: 'image' },
  examples: ["rootless images --filter 'reference=debian:*'", "rootless images --format '{{.Repository}}:{{.Tag}} {{.Size}}'"],
  run: async ({ flags, args, env }) => {
    const paths = findPaths(env);
    const filters = [...flags.filter, ...args.map((value) => ({ key: 'reference', value }))];
    const fits = filters.length === 0 ? undefined : (await import('./image-filter.ts')).imageTest(paths, filters);
    const facts = imageFacts(paths, fits).sort(newestFirst);
    const full = flags['no-trunc'];
    if (flags.quiet) print(facts.map((image) => `${shortId(image, full)}\n`).join(''));
    else if (flags.format !== undefined) {
      const rows = facts.map((image) => toRow(image, full));
      print(render(flags.format, rows, 'list', headings));
    } else print(toTable(facts, full, flags.digests));
    return 0;
  },
});

/** RFC 3339 in UTC sorts as text; other zones are rare, and then the order of the same second hardly matters. */
function newestFirst(one: ImageFacts, other: ImageFacts): number {
  const [a, b] = [one.created ?? '', other.created ?? ''];
  return a === b ? byName(one, other) : a < b ? 1 : -1;
}

function byName(one: ImageFacts, other: ImageFacts): number {
  const [a, b] = [`${one.repository}:${one.tag}`, `${other.repository}:${other.tag}`];
  return a < b ? -1 : a > b ? 1 : 0;
}

function shortId(image: ImageFacts, full: boolean): string {
  return full ? image.id : hexOf(image.id).slice(0, 12);
}

function toRow(image: ImageFacts, full: boolean): Row {
  const bytes = size(image.size);
  return {
    Containers: 'N/A',
    CreatedAt: image.created === undefined ? 'N/A' : goTime(image.created),
    CreatedSince: ago(image.created, Date.now()) || 'N/A',
    Digest: image.digest,
    ID: shortId(image, full),
    Platform: formatPlatform(image.platform),
    Repository: image.repository,
    SharedSize: 'N/A',
    Size: bytes,
    Tag: image.tag,
    UniqueSize: 'N/A',
    VirtualSize: bytes,
  };
}

/** As Go prints a time: `2024-01-31 12:00:00 +0000 UTC`. */
function goTime(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : `${date.toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`;
}

function toTable(facts: readonly ImageFacts[], full: boolean, digests: boolean): string {
  const now = Date.now();
  const head = ['REPOSITORY', 'TAG', ...(digests ? ['DIGEST'] : []), 'IMAGE ID', 'CREATED', 'SIZE'];
  const rows = facts.map((image) => [
    image.repository,
    image.tag,
    ...(digests ? [image.digest] : []),
    shortId(image, full),
    ago(image.created, now) || 'N/A',
    size(image.size),
  ]);
  return table([head, ...rows]);
}
