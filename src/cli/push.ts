/** `rootless push`: sends images of the store to a registry. */

import { writeFileSync } from 'node:fs';
import { RootlessError } from '../errors.ts';
import { type BlobSource, storeSource } from '../image/blob-source.ts';
import { lease } from '../image/blobs.ts';
import { convertLayers } from '../image/compress.ts';
import { inFormat, type ManifestFormat } from '../image/convert.ts';
import { convertIndex } from '../image/convert-index.ts';
import { noSuchImage } from '../image/find.ts';
import { parseContents } from '../image/manifest.ts';
import { parsePlatform, type Platform } from '../image/platform.ts';
import { pushImage } from '../image/push.ts';
import { parseImageSource, parseReference, type RegistryReference } from '../image/reference.ts';
import { findImage, listImages, type StoredImage } from '../image/store.ts';
import { isTagged } from '../image/store-write.ts';
import { platformsOf } from '../image/tag.ts';
import { findPaths, type Paths } from '../paths.ts';
import { callersMode } from '../umask.ts';
import { command } from './command.ts';
import { tellImage } from './image-events.ts';
import { imageProgress } from './image-progress.ts';
import { interruptible } from './interrupt.ts';
import { print } from './output.ts';
import { registryFlags, registrySettings } from './registry-flags.ts';
import { line } from './ui.ts';
import { BadValue } from './values/bad.ts';

export default command({
  name: 'push',
  flags: {
    quiet: { type: 'boolean', alias: 'q', description: 'print only the name' },
    'all-tags': { type: 'boolean', alias: 'a', description: 'every tag of the repository' },
    platform: { type: 'string', valueHint: 'PLATFORM', parse: parsePlatform, description: 'only this one of an image for several' },
    digestfile: { type: 'string', valueHint: 'FILE', description: 'write the digest of what was pushed there' },
    'compression-format': {
      type: 'string',
      valueHint: 'gzip|zstd',
      parse: parseFormat,
      choices: ['gzip', 'zstd'],
      description: 'compression of layers',
    },
    format: {
      type: 'string',
      alias: 'f',
      valueHint: 'oci|docker',
      parse: parseManifestFormat,
      choices: ['oci', 'docker'],
      description: 'of the manifest, where it should be another than it is',
    },
    'force-compression': { type: 'boolean', description: 'compress layers anew that have the format already' },
    'disable-content-trust': { type: 'boolean', default: true, hidden: true, description: 'nothing is signed: nothing changes' },
    ...registryFlags,
  },
  words: { usage: 'IMAGE [DESTINATION]', min: 1, max: 2, complete: 'image' },
  examples: ['rootless push registry.example.com/team/app:1.0', 'rootless push app:latest localhost:5000/app:1.0'],
  run: async ({ flags, args, given, env }) => {
    const paths = findPaths(env);
    const [name = '', destination] = args;
    const settings = await registrySettings({ flags, given }, paths);
    const jobs = flags['all-tags'] ? allTags(paths, name, destination) : [oneImage(paths, name, destination, flags.platform)];
    for (const { images, target } of jobs) {
      const { tell, close } = imageProgress(flags.quiet, 'keep');
      const convert = convertLayers(paths, images, { format: flags['compression-format'], force: flags['force-compression'] });
      try {
        if (!flags.quiet) line(`the push refers to repository [${target.registry}/${target.repository}]`);
        const { digest, size } = await interruptible(async (signal) => {
          using _lease = lease(paths);
          return await pushImage(await inWords(storeSource(paths, images), flags.format, target.name), target, {
            ...settings,
            convert,
            progress: tell,
            signal,
          });
        });
        close();
        tellImage(paths, 'push', images[0].id, target.name);
        if (flags.digestfile !== undefined) writeFileSync(flags.digestfile, digest, { mode: callersMode(0o666) });
        print(flags.quiet ? `${target.name}\n` : `${target.tag ?? target.digest}: digest: ${digest} size: ${size}\n`);
      } finally {
        close();
      }
    }
    return 0;
  },
});

type Job = { readonly images: readonly [StoredImage, ...StoredImage[]]; readonly target: RegistryReference };

/** All platforms of the name, unless one is chosen. */
function oneImage(paths: Paths, name: string, destination: string | undefined, platform: Platform | undefined): Job {
  const images = listImages(paths);
  const found = platformsOf(images, name);
  const [first] = found;
  if (first === undefined) noSuchImage(name);
  const target = parseTarget(destination ?? first.name ?? noName(name));
  if (platform === undefined) return { images: [first, ...found.slice(1)], target };
  const chosen = findImage(found, parseReference(first.name ?? name), platform);
  return { images: [chosen ?? noPlatform(name)], target };
}

function allTags(paths: Paths, name: string, destination: string | undefined): Job[] {
  const { registry, repository, tag } = parseTarget(name);
  if (tag !== 'latest' || name.endsWith(':latest') || destination !== undefined) {
    throw new RootlessError({
      code: 'FLAGS_CONFLICT',
      message: destination === undefined ? "tag can't be used with --all-tags/-a" : '--all-tags goes with no destination',
      fix: `rootless push --all-tags ${registry}/${repository}`,
    });
  }
  const names = new Map<string, Job['images']>();
  for (const image of listImages(paths).filter(isTagged)) {
    if (image.name?.startsWith(`${registry}/${repository}:`)) names.set(image.name, [...(names.get(image.name) ?? []), image] as never);
  }
  if (names.size === 0) noSuchImage(name);
  return [...names].map(([full, images]) => ({ images, target: parseReference(full) }));
}

function parseTarget(text: string): RegistryReference {
  const target = parseImageSource(text);
  if (target.kind === 'registry') return target;
  throw new RootlessError({
    code: 'REFERENCE_INVALID',
    message: `cannot push to "${text}": it is not in a registry`,
    fix: '"rootless copy" knows other places',
  });
}

async function inWords(source: BlobSource, format: ManifestFormat | undefined, shown: string): Promise<BlobSource> {
  if (format === undefined) return source;
  return parseContents(source.root, shown).kind === 'index' ? convertIndex(source, format, shown) : inFormat(source, format, shown);
}

/** podman's word for docker's is v2s2. */
function parseManifestFormat(text: string): ManifestFormat {
  if (text === 'oci') return 'oci';
  if (text === 'docker' || text === 'v2s2') return 'docker';
  throw new BadValue('must be oci or docker');
}

function parseFormat(text: string): 'gzip' | 'zstd' {
  if (text === 'gzip' || text === 'zstd') return text;
  throw new BadValue('must be gzip or zstd');
}

function noName(image: string): never {
  throw new RootlessError({
    code: 'REFERENCE_INVALID',
    message: `image "${image}" has no name to push it by`,
    fix: `rootless push ${image} REGISTRY/NAME:TAG`,
  });
}

function noPlatform(image: string): never {
  throw new RootlessError({ code: 'PLATFORM_NOT_FOUND', message: `the store does not have that platform of "${image}"` });
}
