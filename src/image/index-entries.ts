/** index.json as this program writes it, read without naming every path: a thousand entries in a few milliseconds. */

import { parseDigest } from './digest.ts';
import type { Descriptor } from './manifest.ts';
import { normalize, type Platform } from './platform.ts';

type Json = Readonly<Record<string, unknown>>;

/** Undefined for anything unusual: then somebody has to look closely, and say what is wrong where. */
export function readQuickly(text: string): Descriptor[] | undefined {
  const root = parse(text);
  const manifests = root?.['manifests'];
  if (!Array.isArray(manifests)) return undefined;
  const found: Descriptor[] = [];
  for (const value of manifests) {
    const entry = readEntry(value);
    if (entry === undefined) return undefined;
    found.push(entry);
  }
  return found;
}

function parse(text: string): Json | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export function readEntry(value: unknown): Descriptor | undefined {
  const entry = asObject(value);
  const mediaType = entry?.['mediaType'];
  const text = entry?.['digest'];
  const size = entry?.['size'];
  const digest = typeof text === 'string' ? parseDigest(text) : undefined;
  const annotations = readAnnotations(entry?.['annotations']);
  const platform = readPlatform(entry?.['platform']);
  if (typeof mediaType !== 'string' || digest === undefined || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    return undefined;
  if (annotations === undefined || platform === null) return undefined;
  return { mediaType, digest, size, platform, annotations };
}

/** `null` for what is no platform. */
function readPlatform(value: unknown): Platform | undefined | null {
  if (value === undefined) return undefined;
  const { os, architecture, variant } = asObject(value) ?? {};
  if (typeof os !== 'string' || typeof architecture !== 'string') return null;
  if (variant !== undefined && typeof variant !== 'string') return null;
  return normalize(os, architecture, variant);
}

function readAnnotations(value: unknown): Readonly<Record<string, string>> | undefined {
  const all = asObject(value ?? {});
  if (all === undefined) return undefined;
  for (const key in all) if (typeof all[key] !== 'string') return undefined;
  return all as Readonly<Record<string, string>>;
}

function asObject(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}
