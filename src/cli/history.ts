/** `rootless history`: how an image was made. */

import { requireStored } from '../image/find.ts';
import { historyOf, type Step } from '../image/history.ts';
import { hexOf } from '../image/digest.ts';
import { parsePlatform } from '../image/platform.ts';
import { listImages } from '../image/store.ts';
import { findPaths } from '../paths.ts';
import { command } from './command.ts';
import { ago, formatFlag, type Row, render, size, table } from './format.ts';
import { print } from './output.ts';
import { cut } from './text.ts';

const headings = {
  ID: 'IMAGE',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  CreatedBy: 'CREATED BY',
  Size: 'SIZE',
  Comment: 'COMMENT',
};

export default command({
  name: 'history',
  flags: {
    human: { type: 'boolean', alias: 'H', default: true, description: 'sizes and dates for people' },
    'no-trunc': { type: 'boolean', description: 'do not shorten ids and commands' },
    quiet: { type: 'boolean', alias: 'q', description: 'ids only' },
    format: formatFlag,
    platform: { type: 'string', valueHint: 'PLATFORM', parse: parsePlatform, description: 'OS/ARCH[/VARIANT] of several under one name' },
  },
  words: { usage: 'IMAGE', min: 1, max: 1, complete: 'image' },
  examples: ["rootless history --no-trunc --format '{{.CreatedBy}}' debian"],
  run: ({ flags, args: [name = ''], env }) => {
    const paths = findPaths(env);
    const rows = historyOf(paths, requireStored(listImages(paths), name, flags.platform)).map((step) =>
      toRow(step, flags['no-trunc'], flags.human),
    );
    if (flags.quiet) print(rows.map(({ ID }) => `${ID}\n`).join(''));
    else if (flags.format !== undefined) print(render(flags.format, rows, 'list', headings));
    else print(table([['IMAGE', 'CREATED', 'CREATED BY', 'SIZE', 'COMMENT'], ...rows.map(cells)]));
    return 0;
  },
});

type Shown = Readonly<Record<'ID' | 'CreatedSince' | 'CreatedAt' | 'CreatedBy' | 'Size' | 'Comment', string>>;

function toRow({ id, created, createdBy, size: bytes, comment }: Step, full: boolean, human: boolean): Shown & Row {
  const command = createdBy.replaceAll('\t', ' ');
  const at = created ?? '';
  return {
    ID: id === undefined ? '<missing>' : full ? id : hexOf(id).slice(0, 12),
    CreatedSince: human ? ago(created, Date.now()) : at,
    CreatedAt: at,
    CreatedBy: full ? command : cut(command, 45),
    Size: human ? size(bytes) : String(bytes),
    Comment: comment,
  };
}

function cells({ ID, CreatedSince, CreatedBy, Size, Comment }: Shown): string[] {
  return [ID, CreatedSince, CreatedBy, Size, Comment];
}
