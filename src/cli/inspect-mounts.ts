/** Mounts of a container as `inspect` shows them: what was asked for, with the places that the bundle has for it. Pure. */

import { posix } from 'node:path';
import type { OciConfig } from '../runtime/oci.ts';
import type { MountRequest } from '../runtime/options.ts';
import type { Listed } from '../runtime/state.ts';
import type { Row } from './format.ts';

export function mountRows({ options }: Listed, spec: Partial<OciConfig> | undefined): Row[] {
  return options.mounts.map((request) => {
    const target = posix.normalize(request.target).replace(/(.)\/$/, '$1');
    const made = spec?.mounts?.find(({ destination }) => destination === target);
    const words = made?.options ?? ('options' in request ? request.options : []) ?? [];
    return {
      Type: request.kind,
      ...(request.kind === 'volume' ? { Name: request.name ?? '' } : {}),
      Source: sourceOf(request, made?.source, words),
      Destination: target,
      ...(request.kind === 'volume' ? { Driver: 'local' } : {}),
      Mode: modeOf(request),
      RW: !('readOnly' in request && request.readOnly) && !words.includes('ro'),
      Propagation: request.kind === 'bind' ? (words.find((word) => /^r?(private|shared|slave|unbindable)$/.test(word)) ?? 'rprivate') : '',
    };
  });
}

/** Below an overlay (`:O`, images) it is the folder that is seen, not where changes go. */
function sourceOf(request: MountRequest, made: string | undefined, words: readonly string[]): string {
  if (request.kind === 'tmpfs') return '';
  const lower = words.find((word) => word.startsWith('lowerdir='));
  if (lower !== undefined) return lower.slice('lowerdir='.length).replace(/\\(.)/g, '$1');
  return made ?? (request.kind === 'volume' ? '' : request.source);
}

/** The words after the second colon of -v. */
function modeOf(request: MountRequest): string {
  if (request.kind === 'tmpfs') return request.options.join(',');
  const { readOnly, options, chown, overlay } = request;
  return [...(readOnly ? ['ro'] : []), ...(options ?? []), ...(chown ? ['U'] : []), ...(overlay ? ['O'] : [])].join(',');
}
