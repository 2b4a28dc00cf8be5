/** `rootless pull`: fetches images and unpacks their layers. */

import { RootlessError } from '../errors.ts';
import { hostPlatform, normalize, parsePlatform, type Platform } from '../image/platform.ts';
import { parseImageSource, parseReference, type RegistryReference } from '../image/reference.ts';
import { listTags } from '../image/search.ts';
import { fullNames } from '../image/short-names.ts';
import { listImages, type NamedImage, type StoredImage } from '../image/store.ts';
import { pull } from '../image/transfer.ts';
import { findPaths, type Paths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { widener } from '../runtime/settle-ids.ts';
import { chooseMapping } from '../userns/choose.ts';
import { readHost } from '../userns/host.ts';
import { command } from './command.ts';
import { tellImage } from './image-events.ts';
import type { Values } from './flags.ts';
import { imageProgress } from './image-progress.ts';
import { interruptible } from './interrupt.ts';
import { print } from './output.ts';
import { registryFlags, registrySettings } from './registry-flags.ts';
import { line } from './ui.ts';

const flags = {
  quiet: { type: 'boolean', alias: 'q', description: 'show no progress' },
  'all-tags': { type: 'boolean', alias: 'a', description: 'every tag of the repository' },
  platform: {
    type: 'string',
    valueHint: 'PLATFORM',
    parse: parsePlatform,
    choices: ['linux/amd64', 'linux/arm64'],
    description: 'OS/ARCH[/VARIANT] to take of it',
  },
  os: { type: 'string', valueHint: 'OS', description: 'system to take of it' },
  arch: { type: 'string', valueHint: 'ARCH', description: 'architecture to take of it' },
  variant: { type: 'string', valueHint: 'VARIANT', description: 'variant of the architecture' },
  'disable-content-trust': { type: 'boolean', default: true, hidden: true, description: 'no signature is looked at: nothing changes' },
  ...registryFlags,
} as const;

export default command({
  name: 'pull',
  flags,
  words: { usage: 'IMAGE [IMAGE...]', min: 1, max: Number.POSITIVE_INFINITY, complete: 'image' },
  examples: ['rootless pull debian:bookworm-slim', 'rootless pull --platform linux/arm64 localhost:5000/app'],
  run: async ({ flags: values, args, given, env }) => {
    const paths = findPaths(env);
    const settings = await registrySettings({ flags: values, given }, paths);
    const platform = platformOf(values);
    const host = readHost(searchPath(env));
    const mapping = chooseMapping({ kind: 'host' }, host);
    const widen = widener(mapping, host);
    const named = args.map(inRegistry);
    const wanted = values['all-tags'] ? await interruptible((signal) => allTags(named, args, paths, { ...settings, signal })) : named;
    for (const reference of wanted) {
      const before = listImages(paths);
      const { tell, close } = imageProgress(values.quiet);
      try {
        const image = await interruptible((signal) =>
          pull(reference, { ...settings, paths, platform, mapping, widen, progress: tell, signal }),
        );
        close();
        if (!values.quiet) line(`digest: ${image.source}`);
        if (!values.quiet && isUpToDate(before, image)) line(`image is up to date for ${image.name}`);
        tellImage(paths, 'pull', image.id, image.name);
        print(`${image.name}\n`);
      } finally {
        close();
      }
    }
    return 0;
  },
});

/** The name meant the same before. */
export function isUpToDate(before: readonly StoredImage[], { name, id, source }: NamedImage): boolean {
  return before.some((image) => image.name === name && image.id === id && image.source === source);
}

function inRegistry(text: string): RegistryReference {
  const source = parseImageSource(text);
  if (source.kind === 'registry') return source;
  throw new RootlessError({
    code: 'REFERENCE_INVALID',
    message: `cannot pull "${text}": it is not in a registry`,
    fix: `rootless run ${text} uses it where it is`,
  });
}

/** All tags of each repository, as references. */
async function allTags(
  named: readonly RegistryReference[],
  typed: readonly string[],
  { registry }: Paths,
  settings: Parameters<typeof listTags>[1] & { readonly signal: AbortSignal },
): Promise<RegistryReference[]> {
  const found: RegistryReference[] = [];
  for (const [index, reference] of named.entries()) {
    // Docker's words.
    if (reference.digest !== undefined || reference.tag !== 'latest' || typed[index]?.endsWith(':latest')) {
      throw new RootlessError({ code: 'FLAGS_CONFLICT', message: "tag can't be used with --all-tags/-a" });
    }
    const [full] = fullNames(reference, registry);
    const tags = await listTags(full, settings, settings.signal);
    found.push(...tags.map((tag) => parseReference(`${full.registry}/${full.repository}:${tag}`)));
  }
  return found;
}

/** `--os`, `--arch` and `--variant` fill in this machine where they say nothing. */
function platformOf({ platform, os, arch, variant }: Values<typeof flags>): Platform | undefined {
  if (os === undefined && arch === undefined && variant === undefined) return platform;
  if (platform !== undefined)
    throw new RootlessError({ code: 'FLAGS_CONFLICT', message: '--platform goes with neither --os, --arch nor --variant' });
  const host = hostPlatform();
  return normalize(
    (os ?? host.os).toLowerCase(),
    (arch ?? host.architecture).toLowerCase(),
    variant ?? (arch === undefined ? host.variant : undefined),
  );
}
