/** What a document is, from what it says; its name only decides where its content does not. */

import { basename } from 'node:path';
import type { DocumentKind } from '../wasm/validate.ts';

/** The first bytes of gzip, zstd, and of a tar's first header (at 257). */
export function isLayer(bytes: Uint8Array): boolean {
  const starts = (...magic: number[]) => magic.every((byte, i) => bytes[i] === byte);
  return starts(0x1f, 0x8b) || starts(0x28, 0xb5, 0x2f, 0xfd) || Buffer.from(bytes.subarray(257, 262)).toString('latin1') === 'ustar';
}

/** Undefined when nothing tells. */
export function guessKind(text: string, path: string): DocumentKind | undefined {
  return kindOfContent(text) ?? kindOfName(basename(path));
}

function kindOfContent(text: string): DocumentKind | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const has = (...keys: string[]) => keys.every((key) => Object.hasOwn(value, key));
  const mediaType = 'mediaType' in value ? String(value.mediaType) : '';
  if (has('imageLayoutVersion')) return 'layout';
  if (has('ociVersion')) return 'config';
  if (/image\.index|manifest\.list/.test(mediaType) || has('manifests')) return 'index';
  if (/image\.manifest|distribution\.manifest/.test(mediaType) || has('layers')) return 'manifest';
  if (has('defaultAction') || has('syscalls')) return 'seccomp';
  if (has('architecture') || has('rootfs', 'history')) return 'image-config';
  return has('process') || has('root') || has('linux') ? 'config' : undefined;
}

function kindOfName(name: string): DocumentKind | undefined {
  if (name === 'oci-layout') return 'layout';
  if (name === 'index.json') return 'index';
  if (name === 'config.json') return 'config';
  if (name === 'manifest.json') return 'manifest';
  return /seccomp/.test(name) ? 'seccomp' : undefined;
}
