/** Archives that are compressed as a whole have no offsets: they are inflated into a temporary file first. */

import { spawn } from 'node:child_process';
import { closeSync, constants, createReadStream, createWriteStream, openSync, readSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { RootlessError } from '../errors.ts';
import { makeFolders, type Paths } from '../paths.ts';
import { findProgram } from '../programs.ts';
import { temporaryName } from './atomic.ts';
import { explainDisk } from './disk.ts';
import { imagesFolder } from './store.ts';
import { compression } from './tar-header.ts';

/** A plain archive, and what has to be deleted when it is no longer read. */
export type PlainArchive = { readonly file: string } & Disposable;

export type Kind = 'gzip' | 'zstd' | 'xz' | 'bzip2';

/** No image shrinks so well, unless it is made to fill the disk. Below so many bytes nobody minds. */
const bomb = { bytes: 1 << 30, ratio: 500 };

/** How a file is compressed as a whole, by its first bytes; undefined also when it cannot be read. */
export function compressionOfFile(file: string): Kind | undefined {
  try {
    const fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const magic = Buffer.alloc(6);
      readSync(fd, magic, 0, 6, 0);
      if (magic.readUInt16BE(0) === 0x1f8b) return 'gzip';
      return compression(magic);
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

/** @param least  what may come out in any case. @throws RootlessError ARCHIVE_TRUNCATED, ARCHIVE_INVALID, ARCHIVE_COMPRESSED, ARCHIVE_BOMB, DISK_FULL; nothing is left behind */
export async function inflate(
  paths: Paths,
  file: string,
  kind: Kind,
  shown: string,
  signal?: AbortSignal,
  least = bomb.bytes,
): Promise<PlainArchive> {
  makeFolders(imagesFolder(paths));
  const plain = temporaryName(join(imagesFolder(paths), 'inflated'));
  try {
    const limit = Math.max(least, statSync(file).size * bomb.ratio);
    const target = createWriteStream(plain, { mode: 0o600 });
    const content = await plainStream(file, kind, shown);
    await pipeline(content.stream, limited(limit, shown), target, signal ? { signal } : {});
    await content.ended;
  } catch (cause) {
    rmSync(plain, { force: true });
    signal?.throwIfAborted();
    throw explain(shown, paths, cause as NodeJS.ErrnoException);
  }
  return { file: plain, [Symbol.dispose]: () => rmSync(plain, { force: true }) };
}

/** What is in a compressed file, and a promise that it was whole. */
async function plainStream(file: string, kind: Kind, shown: string): Promise<{ readonly stream: Readable; readonly ended: Promise<void> }> {
  // Newer Nodes have zstd themselves.
  const zlib: typeof import('node:zlib') & { readonly createZstdDecompress?: () => Transform } = await import('node:zlib');
  const inflater = kind === 'gzip' ? zlib.createGunzip() : kind === 'zstd' ? zlib.createZstdDecompress?.() : undefined;
  if (inflater === undefined) return byProgram(file, kind, shown);
  const source = createReadStream(file);
  source.on('error', (cause) => inflater.destroy(cause));
  return { stream: source.pipe(inflater), ended: Promise.resolve() };
}

/** As docker does: the program of the format's own makers. */
function byProgram(file: string, kind: Kind, shown: string): { readonly stream: Readable; readonly ended: Promise<void> } {
  const program = findProgram(kind, []);
  if (program === undefined) throw needsProgram(shown, kind);
  const fd = openSync(file, 'r');
  const child = spawn(program, ['-d', '-c'], { stdio: [fd, 'pipe', 'pipe'] });
  closeSync(fd);
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw needsProgram(shown, kind);
  const said: Buffer[] = [];
  stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(damaged(shown, kind, Buffer.concat(said).toString().trim()))));
  });
  ended.catch(() => {});
  // Nobody reads on: it must not wait for that for ever.
  stdout.once('close', () => stdout.readableEnded || child.kill());
  return { stream: stdout, ended };
}

function limited(limit: number, file: string): Transform {
  let size = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.length;
      done(size > limit ? tooLarge(file, size) : null, chunk);
    },
  });
}

function explain(file: string, paths: Paths, cause: NodeJS.ErrnoException): unknown {
  if (cause.code === undefined || !/^(Z_|ZSTD_|ERR_ZSTD)/.test(cause.code)) return explainDisk(cause, paths);
  return damaged(file, cause.code.startsWith('Z_') ? 'gzip' : 'zstd', cause.message, cause);
}

function damaged(file: string, kind: Kind, why: string, cause?: unknown): RootlessError {
  if (/unexpected(ly)? end|premature end|can be truncated/i.test(why))
    return new RootlessError({
      code: 'ARCHIVE_TRUNCATED',
      message: `"${file}" ends too early`,
      why: `its ${kind} stream has no end`,
      cause,
    });
  return new RootlessError({ code: 'ARCHIVE_INVALID', message: `"${file}" is damaged`, why: `${kind}: ${why}`, cause });
}

function needsProgram(file: string, kind: Kind): RootlessError {
  return new RootlessError({
    code: 'ARCHIVE_COMPRESSED',
    message: `"${file}" is compressed by ${kind}, and there is no program "${kind}" here`,
    fix: `install ${kind === 'xz' ? 'xz-utils' : kind}, or decompress it where that is: ${kind} -d ${file}`,
  });
}

function tooLarge(file: string, size: number): RootlessError {
  return new RootlessError({
    code: 'ARCHIVE_BOMB',
    message: `"${file}" unpacks to far more than any image holds`,
    why: `${size} bytes came out of it and there is more`,
  });
}
