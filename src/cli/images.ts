/** `rootless images`: what is in the store. */

import { hexOf } from '../image/digest.ts';
import { formatPlatform } from '../image/platform.ts';
import { type ImageFacts, imageFacts } from '../image/facts.ts';
import { findPaths } from '../paths.ts';
import { command } from './command.ts';
import { ago, formatFlag, type Row, render, size, table } from './format.ts';
import { print } from './output.ts';
import { filterParser, glob, passes } from './values/filter.ts';

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
      parse: filterParser(['reference']),
      description: 'only some: reference=PATTERN',
    },
    format: formatFlag,
  },
  words: { usage: '[REPOSITORY[:TAG]]', min: 0, max: 1, complete: 'image' },
  examples: ["rootless images --filter 'reference=debian:*'", "rootless images --format '{{.Repository}}:{{.Tag}} {{.Size}}'"],
  run: ({ flags, args, env }) => {
    const patterns = [...flags.filter, ...args.map((value) => ({ key: 'argument', value }))];
    const facts = imageFacts(findPaths(env))
      .filter((image) => passes(patterns, (_key, value) => matches(image, value)))
      .sort((a, b) => Date.parse(b.created ?? '') - Date.parse(a.created ?? '') || 0);
    const full = flags['no-trunc'];
    if (flags.quiet) print(facts.map((image) => `${shortId(image, full)}\n`).join(''));
    else if (flags.format !== undefined)
      print(
        render(
          flags.format,
          facts.map((image) => toRow(image, full)),
          'list',
        ),
      );
    else print(toTable(facts, full, flags.digests));
    return 0;
  },
});

function matches(image: ImageFacts, pattern: string): boolean {
  const wanted = glob(pattern);
  return [image.repository, `${image.repository}:${image.tag}`, `${image.repository}@${image.digest}`].some((name) => wanted.test(name));
}

function shortId(image: ImageFacts, full: boolean): string {
  return full ? image.id : hexOf(image.id).slice(0, 12);
}

function toRow(image: ImageFacts, full: boolean): Row {
  return {
    Repository: image.repository,
    Tag: image.tag,
    ID: shortId(image, full),
    Digest: image.digest,
    Platform: formatPlatform(image.platform),
    CreatedAt: image.created ?? '',
    CreatedSince: ago(image.created, Date.now()),
    Size: size(image.size),
  };
}

function toTable(facts: readonly ImageFacts[], full: boolean, digests: boolean): string {
  const head = ['REPOSITORY', 'TAG', ...(digests ? ['DIGEST'] : []), 'IMAGE ID', 'CREATED', 'SIZE'];
  const rows = facts.map((image) => [
    image.repository,
    image.tag,
    ...(digests ? [image.digest] : []),
    shortId(image, full),
    ago(image.created, Date.now()) || 'N/A',
    size(image.size),
  ]);
  return table([head, ...rows]);
}
