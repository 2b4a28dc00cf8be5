/** `rootless manifest push`: a list made here, and all images that it names, to a registry. */

import { writeFileSync } from 'node:fs';
import { lease } from '../image/blobs.ts';
import { collectBlobs } from '../image/collect.ts';
import type { Expected } from '../image/digest.ts';
import { changeList, listSource, requireList } from '../image/lists.ts';
import { pushImage } from '../image/push.ts';
import { parseReference } from '../image/reference.ts';
import { openRegistry, type Registry } from '../image/registry.ts';
import type { RegistrySettings } from '../image/session.ts';
import { tagName } from '../image/tag.ts';
import { findPaths } from '../paths.ts';
import { callersMode } from '../umask.ts';
import { command } from './command.ts';
import { imageProgress } from './image-progress.ts';
import { interruptible } from './interrupt.ts';
import { print } from './output.ts';
import { registryFlags, registrySettings } from './registry-flags.ts';

export default command({
  name: 'manifest push',
  flags: {
    purge: { type: 'boolean', alias: 'p', description: 'remove the list here afterwards' },
    all: { type: 'boolean', default: true, hidden: true, description: 'images go with their list: nothing changes' },
    quiet: { type: 'boolean', alias: 'q', description: 'show no progress' },
    digestfile: { type: 'string', valueHint: 'FILE', description: 'write the digest of the list there' },
    insecure: { type: 'boolean', description: 'as --tls-verify=false' },
    ...registryFlags,
  },
  words: { usage: 'LIST [DESTINATION]', min: 1, max: 2, complete: 'image' },
  examples: ['rootless manifest push app:1.0 docker://registry.example.com/team/app:1.0'],
  run: async ({ flags, args: [list = '', destination], given, env }) => {
    const paths = findPaths(env);
    const found = requireList(paths, tagName(list));
    const target = parseReference((destination ?? found.name).replace(/^docker:\/\//, ''), destination);
    const secure = flags.insecure ? { ...flags, 'tls-verify': false } : flags;
    const settings = await registrySettings({ flags: secure, given: flags.insecure ? new Set([...given, 'tls-verify']) : given }, paths);
    const { tell, close } = imageProgress(flags.quiet, 'keep');
    try {
      const { digest } = await interruptible(async (signal) => {
        using _lease = lease(paths);
        using origins = openOrigins(settings, signal);
        return await pushImage(listSource(paths, found, origins.fetch), target, { ...settings, progress: tell, signal });
      });
      close();
      if (flags.digestfile !== undefined) writeFileSync(flags.digestfile, digest, { mode: callersMode(0o666) });
      if (flags.purge) {
        await changeList(paths, found.name, () => undefined);
        await collectBlobs(paths);
      }
      print(`${digest}\n`);
      return 0;
    } finally {
      close();
    }
  },
});

/** Layers that are not here are read where their image was found, one client for each repository. */
function openOrigins(settings: RegistrySettings, signal: AbortSignal) {
  const open = new Map<string, Registry>();
  return {
    fetch: (origin: string, blob: Expected) => {
      const registry = open.get(origin) ?? openRegistry(parseReference(origin), settings, signal);
      open.set(origin, registry);
      return registry.blob(blob, signal);
    },
    [Symbol.dispose]: () => {
      for (const registry of open.values()) registry.close();
    },
  };
}
