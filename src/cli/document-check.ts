/** Finds out what a path is and has it checked: bundles and layouts file by file. */

import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { runHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { guessKind, isLayer, type Kind } from './document-kind.ts';

/** What a checker says; `path` is `$.process.args[0]`, or the name of an entry of a layer. */
export type Problem = {
  readonly path: string;
  readonly message: string;
  readonly rule?: string;
  readonly section?: string;
  readonly level?: 'error' | 'warning';
};

export type Finding = { readonly file: string; readonly kind: Kind | 'layer'; readonly problems: readonly Problem[] };

/** The layers of one image may be many gigabytes; documents are read whole up to this size. */
const documentLimit = 64 * 1024 * 1024;

/** @throws RootlessError FILE_UNREADABLE, KIND_UNKNOWN */
export async function checkPath(paths: Paths, path: string, kind: Kind | 'bundle' | 'layer' | undefined): Promise<Finding[]> {
  if (statOf(path).isDirectory()) return checkFolder(paths, path, kind);
  if (kind === 'layer' || (kind === undefined && isLayer(firstBytes(path)))) {
    return [{ file: path, kind: 'layer', problems: await ask(paths, ['layer', 'check', path]) }];
  }
  const found = kind === undefined || kind === 'bundle' ? guessKind(readDocument(path), path) : kind;
  if (found === undefined) {
    throw new RootlessError({
      code: 'KIND_UNKNOWN',
      message: `cannot tell what "${path}" is`,
      why: 'neither its content nor its name is that of a document or layer',
      fix: `rootless validate --kind KIND ${path}`,
    });
  }
  return [{ file: path, kind: found, problems: await ask(paths, ['validate', found, path]) }];
}

async function checkFolder(paths: Paths, folder: string, kind: Kind | 'bundle' | 'layer' | undefined): Promise<Finding[]> {
  const has = (name: string) => statSync(join(folder, name), { throwIfNoEntry: false })?.isFile() === true;
  if (has('oci-layout') && (kind === undefined || kind === 'layout')) return checkLayout(paths, folder);
  if (has('config.json') && (kind === undefined || kind === 'bundle' || kind === 'config')) {
    return checkPath(paths, join(folder, 'config.json'), 'config');
  }
  throw new RootlessError({
    code: 'KIND_UNKNOWN',
    message: `"${folder}" is neither a bundle nor an image layout`,
    why: 'a bundle has a config.json, a layout has an oci-layout file',
  });
}

/** The marker, the index, and every manifest and configuration that can be reached from it. */
async function checkLayout(paths: Paths, folder: string): Promise<Finding[]> {
  const findings = [
    ...(await checkPath(paths, join(folder, 'oci-layout'), 'layout')),
    ...(await checkPath(paths, join(folder, 'index.json'), 'index')),
  ];
  const waiting = references(join(folder, 'index.json'));
  const seen = new Set<string>();
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const file = join(folder, 'blobs', next.digest.replace(':', '/'));
    if (seen.has(file) || statSync(file, { throwIfNoEntry: false })?.isFile() !== true) continue;
    seen.add(file);
    findings.push(...(await checkPath(paths, file, next.kind)));
    waiting.push(...references(file));
  }
  return findings;
}

type Reference = { readonly digest: string; readonly kind: Kind };

/** JSON documents that an index or manifest names; a document that is broken names none. */
function references(file: string): Reference[] {
  let value: { manifests?: unknown; config?: unknown };
  try {
    value = Object(JSON.parse(readDocument(file)));
  } catch {
    return [];
  }
  const listed = [...(Array.isArray(value.manifests) ? value.manifests : []), value.config];
  return listed.flatMap((one) => {
    const { mediaType, digest } = Object(one) as { mediaType?: unknown; digest?: unknown };
    const kind = typeof mediaType === 'string' ? kindOfMediaType(mediaType) : undefined;
    // The digest becomes a path: nothing but a digest may.
    return kind !== undefined && typeof digest === 'string' && /^[a-z0-9]+:[a-f0-9]+$/.test(digest) ? [{ digest, kind }] : [];
  });
}

function kindOfMediaType(type: string): Kind | undefined {
  if (/image\.index|manifest\.list/.test(type)) return 'index';
  if (/image\.manifest|distribution\.manifest/.test(type)) return 'manifest';
  return /image\.config|container\.image/.test(type) ? 'image-config' : undefined;
}

async function ask(paths: Paths, args: readonly string[]): Promise<Problem[]> {
  const { code, stdout, stderr } = await runHelper(paths, args);
  if (code === 0 || code === 1) return parseProblems(stdout);
  throw new RootlessError({ code: 'CHECK_FAILED', message: `cannot check "${args.at(-1)}"`, why: stderr.trim() || `exit code ${code}` });
}

/** Documents: one JSON array. Layers: one JSON object a line, whose places are entries or bytes. */
function parseProblems(text: string): Problem[] {
  if (text.trimStart().startsWith('[')) return JSON.parse(text) as Problem[];
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const { code, offset, ...problem } = JSON.parse(line) as Problem & { readonly code: string; readonly offset?: number };
    return { ...problem, path: problem.path ?? (offset === undefined ? '' : `byte ${offset}`), rule: code };
  });
}

function readDocument(path: string): string {
  if (statOf(path).size > documentLimit) {
    throw new RootlessError({ code: 'FILE_TOO_LARGE', message: `"${path}" is too large for a document` });
  }
  return readFileSync(path, 'utf8');
}

function firstBytes(path: string): Uint8Array {
  const bytes = Buffer.alloc(512);
  const fd = openSync(path, 'r');
  try {
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(fd);
  }
}

function statOf(path: string) {
  try {
    return statSync(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new RootlessError({
      code: 'FILE_UNREADABLE',
      message: `cannot read "${path}": ${code === 'ENOENT' ? 'no such file or folder' : code}`,
      cause,
    });
  }
}
