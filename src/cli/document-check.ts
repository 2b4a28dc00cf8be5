/** Finds out what a path is and has it checked: bundles and layouts file by file. */

import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { runHelper } from '../helper.ts';
import type { Paths } from '../paths.ts';
import { runSandboxed } from '../wasm/sandbox.ts';
import { type DocumentKind, type Problem, validate } from '../wasm/validate.ts';
import { guessKind, isLayer } from './document-kind.ts';
import { layerWords } from './layer-words.ts';

/** `info` is remarkable and allowed; only layers have it. */
export type FoundProblem = Omit<Problem, 'level'> & { readonly level: Problem['level'] | 'info' };

export type Finding = { readonly file: string; readonly kind: DocumentKind | 'layer'; readonly problems: readonly FoundProblem[] };

/** Documents are read whole up to this size. */
const documentLimit = 64 * 1024 * 1024;
/** Layers up to this size are checked in the WebAssembly sandbox, which holds them in memory; larger ones as a stream by the native helper. */
const sandboxLimit = 256 * 1024 * 1024;

/** @throws RootlessError FILE_UNREADABLE, KIND_UNKNOWN */
export async function checkPath(paths: Paths, path: string, kind: DocumentKind | 'bundle' | 'layer' | undefined): Promise<Finding[]> {
  if (statOf(path).isDirectory()) return checkFolder(paths, path, kind);
  if (kind === 'layer' || (kind === undefined && isLayer(firstBytes(path)))) {
    return [{ file: path, kind: 'layer', problems: await checkLayer(paths, path) }];
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
  return [{ file: path, kind: found, problems: validate(found, readDocument(path), paths) }];
}

async function checkFolder(paths: Paths, folder: string, kind: DocumentKind | 'bundle' | 'layer' | undefined): Promise<Finding[]> {
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

type Reference = { readonly digest: string; readonly kind: DocumentKind };

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

function kindOfMediaType(type: string): DocumentKind | undefined {
  if (/image\.index|manifest\.list/.test(type)) return 'index';
  if (/image\.manifest|distribution\.manifest/.test(type)) return 'manifest';
  return /image\.config|container\.image/.test(type) ? 'image-config' : undefined;
}

async function checkLayer(paths: Paths, path: string): Promise<FoundProblem[]> {
  const small = statOf(path).size <= sandboxLimit;
  const { code, stdout, stderr } = small ? sandboxed(paths, path) : await runHelper(paths, ['layer', 'check', path]);
  if (code === 0 || code === 1) return parseProblems(stdout);
  throw new RootlessError({ code: 'CHECK_FAILED', message: `cannot check "${path}"`, why: stderr.trim() || `exit code ${code}` });
}

function sandboxed(paths: Paths, path: string): { readonly code: number; readonly stdout: string; readonly stderr: string } {
  const { code, stdout, stderr } = runSandboxed(['layer', 'check'], readFileSync(path), paths);
  return { code, stdout: Buffer.from(stdout).toString(), stderr: Buffer.from(stderr).toString() };
}

/** One JSON object a line; its place is an entry or a byte. */
function parseProblems(text: string): FoundProblem[] {
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const { code, offset, path, level, message } = JSON.parse(line) as LayerProblem;
    return { path: path ?? `byte ${offset}`, rule: code, section: '', level, message: layerWords(code, message) };
  });
}

type LayerProblem = {
  readonly code: string;
  readonly level: FoundProblem['level'];
  readonly offset: number;
  readonly path?: string;
  readonly message?: string;
};

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
