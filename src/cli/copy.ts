/** `rootless copy`: an image from one place to another, registries, archives, folders and the store. */

import { writeFileSync } from 'node:fs';
import type { ManifestFormat } from '../image/convert.ts';
import { copyImage } from '../image/copy.ts';
import { parsePlatform } from '../image/platform.ts';
import { parseTransport } from '../image/transport.ts';
import { findPaths, type Paths } from '../paths.ts';
import { callersMode } from '../umask.ts';
import { command } from './command.ts';
import type { Values } from './flags.ts';
import { imageProgress } from './image-progress.ts';
import { interruptible } from './interrupt.ts';
import { print } from './output.ts';
import { registryFlags, registrySettings } from './registry-flags.ts';
import { BadValue } from './values/bad.ts';

const { authfile } = registryFlags;

const flags = {
  all: { type: 'boolean', alias: 'a', description: 'every platform of an image for several' },
  platform: {
    type: 'string',
    valueHint: 'PLATFORM',
    parse: parsePlatform,
    description: "take OS/ARCH[/VARIANT] instead of this machine's",
  },
  format: {
    type: 'string',
    alias: 'f',
    valueHint: 'oci|docker',
    parse: parseFormat,
    choices: ['oci', 'docker'],
    description: 'of the manifest',
  },
  quiet: { type: 'boolean', alias: 'q', description: 'show no progress' },
  digestfile: { type: 'string', valueHint: 'FILE', description: 'write the digest of what was copied there' },
  authfile,
  'src-creds': { ...registryFlags.creds, description: 'credentials for the source' },
  'dest-creds': { ...registryFlags.creds, description: 'credentials for the destination' },
  'src-cert-dir': { ...registryFlags['cert-dir'], description: 'certificates for the source' },
  'dest-cert-dir': { ...registryFlags['cert-dir'], description: 'certificates for the destination' },
  'src-tls-verify': { ...registryFlags['tls-verify'], description: 'check certificates of the source' },
  'dest-tls-verify': { ...registryFlags['tls-verify'], description: 'check certificates of the destination' },
} as const;

export default command({
  name: 'copy',
  flags,
  words: { usage: 'SOURCE DESTINATION', min: 2, max: 2, complete: 'image' },
  examples: [
    'rootless copy docker://debian:bookworm oci-archive:debian.tar',
    'rootless copy --all docker://alpine docker://localhost:5000/alpine',
    'rootless copy app:1 dir:folder; rootless copy docker-archive:app.tar app:2',
  ],
  run: async ({ flags: given, args: [from = '', to = ''], given: typed, env }) => {
    const paths = findPaths(env);
    const { all, platform, format, quiet, digestfile } = given;
    const [source, target] = [parseTransport(from), parseTransport(to)];
    const ends = { from: await settingsOf('src', given, typed, paths), to: await settingsOf('dest', given, typed, paths) };
    const { tell, close } = imageProgress(quiet);
    try {
      const digest = await interruptible((signal) =>
        copyImage(paths, source, target, { all, platform, format, ...ends, progress: tell, signal }),
      );
      close();
      if (digestfile !== undefined) writeFileSync(digestfile, digest, { mode: callersMode(0o666) });
      print(`${digest}\n`);
      return 0;
    } finally {
      close();
    }
  },
});

/** The flags of one end, under the names that all commands have them. */
function settingsOf(end: 'src' | 'dest', given: Values<typeof flags>, typed: ReadonlySet<string>, paths: Paths) {
  const own = {
    'tls-verify': given[`${end}-tls-verify`],
    authfile: given.authfile,
    creds: given[`${end}-creds`],
    'cert-dir': given[`${end}-cert-dir`],
  };
  return registrySettings({ flags: own, given: new Set(typed.has(`${end}-tls-verify`) ? ['tls-verify'] : []) }, paths);
}

function parseFormat(text: string): ManifestFormat {
  if (text === 'oci') return 'oci';
  if (text === 'docker' || text === 'v2s2') return 'docker';
  throw new BadValue('must be oci or docker');
}
