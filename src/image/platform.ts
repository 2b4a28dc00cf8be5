/** Platforms of images (image-spec, image-index.md "platform"), and choosing one of an index. */

import { RootlessError } from '../errors.ts';

export type Platform = {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string | undefined;
};

const architectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  x86_64: 'amd64',
  'x86-64': 'amd64',
  ia32: '386',
  x86: '386',
  i386: '386',
  i686: '386',
  aarch64: 'arm64',
  armhf: 'arm',
  armel: 'arm',
  ppc64el: 'ppc64le',
  loong64: 'loong64',
  mipsel: 'mipsle',
};

/**
 * Parses `[OS/]ARCH[/VARIANT]` as docker's --platform does; the machine's own spellings (`x86_64`, `aarch64`) are accepted.
 * @throws RootlessError PLATFORM_INVALID
 */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  if (parts.length > 3 || !parts.every((part) => /^[a-z0-9_][a-z0-9_.-]*$/.test(part))) throw badPlatform(text);
  const oses = ['linux', 'wasi', 'wasip1', 'windows', 'darwin', 'freebsd'];
  if (parts.length === 1) {
    const [only = ''] = parts;
    return oses.includes(only) ? { ...hostPlatform(), os: only } : normalize('linux', only);
  }
  const [first = '', second = '', third] = parts;
  return oses.includes(first) || parts.length === 3 ? normalize(first, second, third) : normalize('linux', first, second);
}

/** This machine. */
export function hostPlatform(): Platform {
  if (process.arch !== 'arm') return normalize('linux', process.arch);
  const variables: Readonly<Record<string, unknown>> = { ...process.config.variables };
  return normalize('linux', 'arm', `v${variables['arm_version'] ?? 7}`);
}

export function normalize(os: string, architecture: string, variant?: string): Platform {
  const arch = architectures[architecture] ?? architecture;
  const given = variant === undefined || variant === '' ? defaultVariant(architecture) : variant;
  return given === undefined || (arch === 'arm64' && given === 'v8')
    ? { os, architecture: arch }
    : { os, architecture: arch, variant: given };
}

export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
}

/**
 * How well `offered` runs on `wanted`: 0 is exact, more is older, undefined is not at all.
 * A newer processor runs what was built for an older variant, never the reverse.
 */
export function distance(wanted: Platform, offered: Platform): number | undefined {
  if (wanted.os !== offered.os || wanted.architecture !== offered.architecture) return undefined;
  const behind = variantNumber(wanted) - variantNumber(offered);
  return behind < 0 ? undefined : behind;
}

/**
 * The candidate nearest to `wanted`; the first of equals, as every client takes it.
 * @throws RootlessError PLATFORM_NOT_FOUND, listing what there is
 */
export function choosePlatform<T extends { readonly platform: Platform | undefined }>(
  candidates: readonly T[],
  wanted: Platform,
  image: string,
): T {
  let best: { readonly candidate: T; readonly far: number } | undefined;
  for (const candidate of candidates) {
    const far = candidate.platform === undefined ? undefined : distance(wanted, candidate.platform);
    if (far !== undefined && (best === undefined || far < best.far)) best = { candidate, far };
  }
  if (best !== undefined) return best.candidate;
  const unnamed = candidates.filter((candidate) => candidate.platform === undefined);
  if (unnamed.length === 1 && unnamed[0] !== undefined) return unnamed[0];
  throw platformNotFound(
    wanted,
    candidates.flatMap(({ platform }) => (platform === undefined ? [] : [platform])),
    image,
  );
}

export function platformNotFound(wanted: Platform, offered: readonly Platform[], image: string): RootlessError {
  const names = [...new Set(offered.filter(({ os }) => os !== 'unknown').map(formatPlatform))];
  return new RootlessError({
    code: 'PLATFORM_NOT_FOUND',
    message: `image "${image}" has no ${formatPlatform(wanted)}`,
    why: names.length === 0 ? 'it names no platform at all' : `it is made for ${names.join(', ')}`,
    fix: names[0] === undefined ? undefined : `--platform ${names.length === 1 ? names[0] : 'with one of these'}`,
  });
}

function variantNumber(platform: Platform): number {
  const standard = platform.architecture === 'arm64' ? 8 : platform.architecture === 'arm' ? 7 : 1;
  const number = /^v([0-9]+)/.exec(platform.variant ?? '')?.[1];
  return number === undefined ? standard : Number(number);
}

function defaultVariant(architecture: string): string | undefined {
  if (architecture === 'armel') return 'v6';
  return architecture === 'arm' || architecture === 'armhf' ? 'v7' : undefined;
}

function badPlatform(text: string): RootlessError {
  return new RootlessError({
    code: 'PLATFORM_INVALID',
    message: `invalid platform "${text}"`,
    why: 'a platform is OS/ARCH or OS/ARCH/VARIANT, for example linux/arm64',
  });
}
