/** `rootless image inspect`: everything known of images, or with --files what is in them. */

import { noSuchImage, requireStored } from '../image/find.ts';
import { type ImageFile, imageFiles } from '../image/image-files.ts';
import { parsePlatform } from '../image/platform.ts';
import { listImages } from '../image/store.ts';
import { findPaths } from '../paths.ts';
import { command } from './command.ts';
import { type Format, formatFlag, type Row, render, table } from './format.ts';
import { inspectImage } from './inspect-image.ts';
import { interruptible } from './interrupt.ts';
import { print } from './output.ts';
import { report } from './ui.ts';

export default command({
  name: 'image inspect',
  flags: {
    format: { ...formatFlag, alias: 'f', description: '"json", or a template: {{.Id}}, {{json .Config}}' },
    platform: { type: 'string', valueHint: 'PLATFORM', parse: parsePlatform, description: 'OS/ARCH[/VARIANT] of several under one name' },
    files: { type: 'boolean', description: 'the files of the image: mode, owner, size, layer and path' },
  },
  words: { usage: 'IMAGE [IMAGE...]', min: 1, max: Number.POSITIVE_INFINITY, complete: 'image' },
  examples: ["rootless image inspect --format '{{json .Config.Env}}' alpine", 'rootless image inspect --files alpine | grep -w etc/passwd'],
  run: async ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    const { platform, format } = flags;
    const found: Row[] = [];
    const failures: unknown[] = [];
    for (const name of args) {
      try {
        if (flags.files) {
          const image = requireStored(listImages(paths), name, platform);
          showFiles(await interruptible((signal) => imageFiles(paths, image, signal)), format);
        } else found.push(inspectImage(paths, name, platform) ?? noSuchImage(name));
      } catch (error) {
        failures.push(error);
      }
    }
    // docker: what was found is shown even if something else was not.
    if (!flags.files) print(format === undefined ? `${JSON.stringify(found, null, 4)}\n` : render(format, found, 'array'));
    return Math.max(0, ...failures.map((error) => report(error, debug)));
  },
});

const letters: Readonly<Record<string, string>> = { folder: 'd', symlink: 'l', char: 'c', block: 'b', fifo: 'p' };

function showFiles(files: readonly ImageFile[], format: Format | undefined): void {
  const rows = files.map((file) => [
    `${letters[file.type] ?? '-'}${permissions(Number.parseInt(file.mode, 8))}`,
    `${file.uid}:${file.gid}`,
    String(file.size),
    short(file.layer),
    file.link === undefined ? file.path : `${file.path} ${file.type === 'hardlink' ? 'link to' : '->'} ${file.link}`,
  ]);
  print(format === undefined ? table([['MODE', 'OWNER', 'SIZE', 'LAYER', 'PATH'], ...rows]) : render(format, files.map(toRow), 'list'));
}

function toRow({ path, type, mode, uid, gid, size, mtime, link, layer }: ImageFile): Row {
  const time = new Date(mtime * 1000).toISOString();
  return { Path: path, Type: type, Mode: mode, Uid: uid, Gid: gid, Size: size, ModTime: time, Link: link ?? '', Layer: layer };
}

/** As ls(1) writes them, set-id and sticky bits too. */
function permissions(mode: number): string {
  const bits = [...'rwxrwxrwx'].map((letter, at) => ((mode >> (8 - at)) & 1 ? letter : '-'));
  const special = (bit: number, at: number, letter: string) => {
    if ((mode & bit) !== 0) bits[at] = bits[at] === '-' ? letter.toUpperCase() : letter;
  };
  special(0o4000, 2, 's');
  special(0o2000, 5, 's');
  special(0o1000, 8, 't');
  return bits.join('');
}

function short(digest: string): string {
  return digest.replace(/^\w+:/, '').slice(0, 12);
}
