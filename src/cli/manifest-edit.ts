/** `rootless manifest create|add|annotate|remove|rm|exists`: lists of images for several platforms, made here. */

import { RootlessError } from '../errors.ts';
import { lease } from '../image/blobs.ts';
import { collectBlobs } from '../image/collect.ts';
import { entryOf, membersOf, withMembers } from '../image/list-members.ts';
import { changeList, findList, type ImageList, type ListEntry, requireList } from '../image/lists.ts';
import { parsePlatform } from '../image/platform.ts';
import { tagName } from '../image/tag.ts';
import { findPaths, type Paths } from '../paths.ts';
import { command } from './command.ts';
import type { Flags, Values } from './flags.ts';
import { interruptible } from './interrupt.ts';
import { print } from './output.ts';
import { registryFlags, registrySettings } from './registry-flags.ts';
import { BadValue } from './values/bad.ts';

const about = {
  arch: { type: 'string', valueHint: 'ARCH', description: 'processor' },
  os: { type: 'string', valueHint: 'OS', description: 'operating system' },
  variant: { type: 'string', valueHint: 'VARIANT', description: 'variant of the processor' },
  'os-version': { type: 'string', valueHint: 'VERSION', description: 'version of the operating system' },
  'os-features': { type: 'string', valueHint: 'FEATURE', repeat: true, description: 'features of the operating system' },
  annotation: { type: 'string', valueHint: 'KEY=VALUE', repeat: true, parse: parseAnnotation, description: 'annotation of the entry' },
} as const satisfies Flags;

const insecure = { type: 'boolean', description: 'as --tls-verify=false' } as const;
const several = { type: 'boolean', description: 'every platform of an image for several' } as const;

export const create = command({
  name: 'manifest create',
  flags: { amend: { type: 'boolean', alias: 'a', description: 'add to a list that is there' }, all: several, insecure, ...registryFlags },
  words: { usage: 'LIST [IMAGE...]', min: 1, max: Number.POSITIVE_INFINITY, complete: 'image' },
  examples: ['rootless manifest create app:1.0 app:1.0-amd64 app:1.0-arm64'],
  run: async ({ flags, args: [list = '', ...images], given, env }) => {
    const paths = findPaths(env);
    const name = tagName(list);
    using _lease = lease(paths);
    const members = await fetchAll(paths, images, { ...flags, given });
    await changeList(paths, name, (before) => {
      if (before !== undefined && !flags.amend) throw exists(name);
      return members.reduce(withMembers, before ?? { name, entries: [], origins: {} });
    });
    print(`Created manifest list ${name}\n`);
    return 0;
  },
});

export const add = command({
  name: 'manifest add',
  flags: {
    all: several,
    platform: { type: 'string', valueHint: 'PLATFORM', parse: parsePlatform, description: 'which of an image for several' },
    ...about,
    insecure,
    ...registryFlags,
  },
  words: { usage: 'LIST IMAGE [IMAGE...]', min: 2, max: Number.POSITIVE_INFINITY, complete: 'image' },
  examples: ['rootless manifest add --arch arm64 app:1 docker://example.com/app:1-arm64'],
  run: async ({ flags, args: [list = '', ...images], given, env }) => {
    const paths = findPaths(env);
    const name = tagName(list);
    requireList(paths, name);
    using _lease = lease(paths);
    const members = (await fetchAll(paths, images, { ...flags, given })).map((one) => ({
      ...one,
      entries: one.entries.map((entry) => described(entry, flags)),
    }));
    const digest = await changeList(paths, name, (before) => members.reduce(withMembers, before ?? requireList(paths, name)));
    print(`${digest}\n`);
    return 0;
  },
});

export const annotate = command({
  name: 'manifest annotate',
  flags: about,
  words: { usage: 'LIST IMAGE|DIGEST', min: 2, max: 2, complete: 'image' },
  examples: ['rootless manifest annotate --arch arm64 --variant v8 app:1.0 app:1.0-arm64'],
  run: async ({ flags, args: [list = '', image = ''], env }) => {
    await edit(findPaths(env), list, (before) => {
      const entry = entryOf(before, image);
      return { ...before, entries: before.entries.map((one) => (one === entry ? described(one, flags) : one)) };
    });
    return 0;
  },
});

export const remove = command({
  name: 'manifest remove',
  flags: {},
  words: { usage: 'LIST DIGEST', min: 2, max: 2, complete: 'image' },
  run: async ({ args: [list = '', image = ''], env }) => {
    const paths = findPaths(env);
    const digest = await edit(paths, list, (before) => {
      const entry = entryOf(before, image);
      return { ...before, entries: before.entries.filter((one) => one !== entry) };
    });
    await collectBlobs(paths);
    print(`${digest}\n`);
    return 0;
  },
});

export const rm = command({
  name: 'manifest rm',
  flags: {},
  words: { usage: 'LIST [LIST...]', min: 1, max: Number.POSITIVE_INFINITY, complete: 'image' },
  run: async ({ args, env }) => {
    const paths = findPaths(env);
    for (const name of args.map(tagName)) {
      requireList(paths, name);
      await changeList(paths, name, () => undefined);
    }
    await collectBlobs(paths);
    return 0;
  },
});

export const existing = command({
  name: 'manifest exists',
  flags: {},
  words: { usage: 'LIST', min: 1, max: 1, complete: 'image' },
  run: ({ args: [list = ''], env }) => (findList(findPaths(env), tagName(list)) === undefined ? 1 : 0),
});

type Fetching = Partial<Values<typeof registryFlags>> & {
  readonly all: boolean;
  readonly insecure: boolean;
  readonly platform?: ReturnType<typeof parsePlatform> | undefined;
  readonly given: ReadonlySet<string>;
};

async function fetchAll(paths: Paths, images: readonly string[], flags: Fetching) {
  const given = flags.insecure ? new Set([...flags.given, 'tls-verify']) : flags.given;
  const registry = await registrySettings({ flags: flags.insecure ? { ...flags, 'tls-verify': false } : flags, given }, paths);
  return interruptible(async (signal) => {
    const members = [];
    for (const image of images) members.push(await membersOf(paths, image, { all: flags.all, platform: flags.platform, registry, signal }));
    return members;
  });
}

function edit(paths: Paths, list: string, change: (before: ImageList) => ImageList) {
  const name = tagName(list);
  return changeList(paths, name, (before) => change(before ?? requireList(paths, name)));
}

/** Only what was asked for changes. */
function described(entry: ListEntry, flags: Values<typeof about>): ListEntry {
  const { arch, os, variant } = flags;
  const platform = {
    ...entry.platform,
    ...(arch === undefined ? {} : { architecture: arch }),
    ...(os === undefined ? {} : { os }),
    ...(variant === undefined ? {} : { variant }),
    ...(flags['os-version'] === undefined ? {} : { 'os.version': flags['os-version'] }),
    ...(flags['os-features'].length === 0 ? {} : { 'os.features': flags['os-features'].flatMap((text) => text.split(',')) }),
  };
  const notes = { ...entry.annotations, ...Object.fromEntries(flags.annotation) };
  return { ...entry, platform, ...(Object.keys(notes).length === 0 ? {} : { annotations: notes }) };
}

function parseAnnotation(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  throw new BadValue(`no value for annotation "${text}"`, { fix: 'KEY=VALUE' });
}

function exists(name: string): RootlessError {
  return new RootlessError({
    code: 'LIST_EXISTS',
    message: `refusing to replace the manifest list "${name}"`,
    fix: '--amend adds to it, "rootless manifest rm" removes it',
    exit: 1,
  });
}
