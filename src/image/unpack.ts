/** One layer on its way into $DATA/layers: fed to `rootless-helper unpack`, renamed when whole, stamped last. */

import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { RootlessError } from '../errors.ts';
import { type HelperFailure, type HelperResult, type IdMap, runHelper, startHelper } from '../helper.ts';
import { makeFolders, type Paths } from '../paths.ts';
import { temporaryName, writeAtomically } from './atomic.ts';
import type { Digest } from './digest.ts';
import { canonicalMapping, type LayerMapping, layerName, layersFolder, readStamp } from './layers.ts';
import { leftovers } from './owner.ts';

/** A layer being unpacked from what is written to it. Exactly one of `finish` and `discard` ends it. */
export type Unpacking = {
  /**
   * Resolves when more may be written. A helper that has failed is reported by `finish`, not here: most often the content is
   * damaged, and whoever reads it to its end finds out better. Only a full disk stops at once. @throws RootlessError DISK_FULL
   */
  write(chunk: Uint8Array): Promise<void>;
  /** No more input: waits for the helper, then puts the layer in place. @throws RootlessError LAYER_UNPACK_FAILED, … */
  finish(signal?: AbortSignal): Promise<void>;
  /** Stops the helper and deletes what it wrote; what cannot be deleted now is the next unpacking's to delete. */
  discard(): Promise<void>;
};

/** Makes the folder of a mapping, and deletes what killed processes left in it. */
export async function prepareLayers(paths: Paths, mapping: LayerMapping): Promise<void> {
  const folder = layersFolder(paths, mapping);
  const record = join(folder, 'map.json');
  const text = canonicalMapping(mapping);
  makeFolders(folder);
  if (!existsSync(record)) writeAtomically(record, text);
  else if (readFileSync(record, 'utf8') !== text) {
    throw new RootlessError({ code: 'LAYER_COLLISION', message: `"${folder}" belongs to another id mapping` });
  }
  await removeTrees(
    paths,
    mapping.idMap,
    leftovers(folder).map((name) => join(folder, name)),
  );
}

/** Starts unpacking; the helper detects the compression and checks the diffID. With `file` it reads that itself. */
export function startUnpack(paths: Paths, mapping: LayerMapping, diffId: Digest, file?: string): Unpacking {
  const folder = layersFolder(paths, mapping);
  const temporary = temporaryName(join(folder, layerName(diffId)));
  mkdirSync(temporary);
  const single = mapping.mode === 'single' ? ['--single-id'] : [];
  const args = [
    'unpack',
    '--to',
    temporary,
    '--idmap',
    JSON.stringify(mapping.idMap),
    ...single,
    '--diff-id',
    diffId,
    ...(file === undefined ? [] : [file]),
  ];
  const { child, done } = startHelper(paths, args, [file === undefined ? 'pipe' : 'ignore', 'pipe', 'pipe']);
  done.catch(() => {});
  const input = child.stdin;
  // A helper that fails closes its end: EPIPE here is only the echo of the failure that `done` reports.
  input?.on('error', () => {});
  return {
    write: async (chunk) => {
      if (input === null) return;
      if (!input.destroyed && !input.write(chunk)) await drained(input);
      if (!input.destroyed) return;
      const failed = failure(await done, diffId);
      if (failed.code === 'DISK_FULL') throw failed;
    },
    finish: async (signal) => {
      input?.end();
      const result = await untilAborted(done, signal);
      if (result.code !== 0) throw failure(result, diffId);
      await place(paths, mapping, temporary, diffId, result.stdout);
    },
    discard: async () => {
      child.kill('SIGKILL');
      await done.catch(() => {});
      await removeTrees(paths, mapping.idMap, [temporary]).catch(() => {});
    },
  };
}

/** Deletes folders that hold files of mapped ids; one that somebody else deletes meanwhile is fine. @throws RootlessError REMOVE_FAILED */
export async function removeTrees(paths: Paths, idMap: IdMap, trees: readonly string[]): Promise<void> {
  const existing = trees.filter((tree) => existsSync(tree));
  if (existing.length === 0) return;
  const result = await runHelper(paths, ['remove', '--idmap', JSON.stringify(idMap), ...existing]);
  if (result.code === 0 || !existing.some((tree) => existsSync(tree))) return;
  throw new RootlessError({
    code: 'REMOVE_FAILED',
    message: `cannot remove "${result.failure?.target ?? existing[0]}"`,
    why: reason(result),
    cause: result.failure,
  });
}

/** Another process may have been faster with the same layer: then its copy stays and this one goes. */
async function place(paths: Paths, mapping: LayerMapping, temporary: string, diffId: Digest, summary: string): Promise<void> {
  const folder = layersFolder(paths, mapping);
  const final = join(folder, layerName(diffId));
  if (readStamp(folder, diffId) !== undefined) return removeTrees(paths, mapping.idMap, [temporary]);
  try {
    renameSync(temporary, final);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    await removeTrees(paths, mapping.idMap, [temporary]);
  }
  writeAtomically(`${final}.json`, JSON.stringify({ ...(JSON.parse(summary) as object), diffId }));
}

function drained(input: Writable): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      input.off('drain', settle).off('close', settle);
      resolve();
    };
    input.on('drain', settle).on('close', settle);
  });
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  signal.throwIfAborted();
  const ended = new AbortController();
  const aborted = once(signal, 'abort', { signal: ended.signal }).then(() => signal.throwIfAborted());
  aborted.catch(() => {});
  try {
    await Promise.race([work, aborted]);
    return await work;
  } finally {
    ended.abort();
  }
}

function failure(result: HelperResult, diffId: Digest): RootlessError {
  const facts = result.failure;
  if (facts?.errno === 'ENOSPC' || facts?.errno === 'EDQUOT') {
    return new RootlessError({ code: 'DISK_FULL', message: `no space left to unpack layer ${diffId}`, why: reason(result), cause: facts });
  }
  if (facts?.message?.endsWith('not in the id map')) return unmapped(facts, diffId);
  const code = facts?.message?.startsWith('diffID') ? 'DIGEST_MISMATCH' : 'LAYER_UNPACK_FAILED';
  return new RootlessError({ code, message: `cannot unpack layer ${diffId}`, why: reason(result), cause: facts });
}

/** Of a mapping that stays as it is: others are widened (fit-layers.ts). */
function unmapped(facts: HelperFailure, diffId: Digest): RootlessError {
  return new RootlessError({
    code: 'OWNER_UNMAPPED',
    message: `a file of the image belongs to an id that this container does not have: "${facts.target}"`,
    why: `${facts.message} (layer ${diffId})`,
    fix: 'another --userns or --uidmap: without them the ids are arranged so that all owners exist',
    cause: facts,
  });
}

function reason({ failure: facts, stderr, code }: HelperResult): string {
  if (facts === undefined) return stderr.trim().split('\n').at(-1) || `the helper ended with ${code}`;
  return [facts.step, facts.target, facts.errno, facts.message].filter(Boolean).join(': ');
}
