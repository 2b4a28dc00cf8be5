/** `rootless manifest inspect`: a manifest or an index, of a list made here, a registry, an archive or the store. */

import { findList, listBytes } from '../image/lists.ts';
import type { BlobSource } from '../image/blob-source.ts';
import { checkBytes, digestOf, type Expected } from '../image/digest.ts';
import { parseContents } from '../image/manifest.ts';
import { parsePlatform } from '../image/platform.ts';
import { platformImages } from '../image/platforms.ts';
import { referenceOf } from '../image/find.ts';
import { openTransport, parseTransport } from '../image/transport.ts';
import { findPaths } from '../paths.ts';
import { command } from './command.ts';
import { interruptible } from './interrupt.ts';
import { print } from './output.ts';
import { registryFlags, registrySettings } from './registry-flags.ts';

export default command({
  name: 'manifest inspect',
  flags: {
    verbose: { type: 'boolean', alias: 'v', description: 'with descriptors, and the manifests that an index lists' },
    platform: { type: 'string', valueHint: 'PLATFORM', parse: parsePlatform, description: 'the manifest for OS/ARCH[/VARIANT]' },
    insecure: { type: 'boolean', description: 'as --tls-verify=false' },
    ...registryFlags,
  },
  words: { usage: '[LIST] IMAGE', min: 1, max: 2, complete: 'image' },
  examples: [
    'rootless manifest inspect debian:bookworm',
    'rootless manifest inspect --platform linux/arm64 docker://debian',
    'rootless manifest inspect oci:layout:1.0',
  ],
  run: async ({ flags, args, given, env }) => {
    const paths = findPaths(env);
    const name = args.at(-1) ?? '';
    const list = findList(paths, referenceOf(name)?.name ?? '');
    if (list !== undefined && flags.platform === undefined && !flags.verbose) {
      print(indented(listBytes(list)));
      return 0;
    }
    const secure = flags.insecure ? { ...flags, 'tls-verify': false } : flags;
    const registry = await registrySettings({ flags: secure, given: flags.insecure ? new Set([...given, 'tls-verify']) : given }, paths);
    const place = parseTransport(
      /^[a-z-]+:(\/\/|[./])|^(oci|dir|oci-archive|docker-archive|containers-storage):/.test(name) ? name : `docker://${name}`,
    );
    await interruptible(async (signal) => {
      using opened = await openTransport(paths, place, { registry, signal });
      const { source } = opened;
      if (flags.platform !== undefined) {
        const [image] = await platformImages(source, name, { platform: flags.platform });
        print(indented(image?.bytes ?? source.root));
      } else if (flags.verbose) print(`${JSON.stringify(await verbose(source, name), null, '\t')}\n`);
      else print(indented(source.root));
    });
    return 0;
  },
});

/** docker's shape: one object, or for an index a list of them. */
async function verbose(source: BlobSource, name: string): Promise<unknown> {
  const { kind, mediaType, manifests } = parseContents(source.root, name);
  if (kind === 'manifest') return described(name, source.root, { mediaType, digest: digestOf(source.root), size: source.root.length });
  const inner: unknown[] = [];
  for (const { annotations: _a, platform, ...descriptor } of manifests) {
    const bytes = await readAll(source, descriptor);
    inner.push(described(`${name}@${descriptor.digest}`, bytes, { ...descriptor, ...(platform === undefined ? {} : { platform }) }));
  }
  return inner;
}

function described(ref: string, bytes: Uint8Array, descriptor: object): object {
  const document = JSON.parse(Buffer.from(bytes).toString('utf8')) as { readonly mediaType?: string };
  const isDocker = document.mediaType?.includes('docker') === true;
  return { Ref: ref, Descriptor: descriptor, [isDocker ? 'SchemaV2Manifest' : 'OCIManifest']: document };
}

async function readAll(source: BlobSource, blob: Expected): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.open(blob, 0)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  checkBytes(bytes, blob);
  return bytes;
}

function indented(bytes: Uint8Array): string {
  return `${JSON.stringify(JSON.parse(Buffer.from(bytes).toString('utf8')), null, '\t')}\n`;
}
