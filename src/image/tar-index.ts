/** Where the members of a tar archive lie: ustar, pax and GNU long names, read by offset and never extracted. */

import { closeSync, constants, openSync, readSync, fstatSync } from 'node:fs';
import { fileReason } from '../errno.ts';
import { RootlessError } from '../errors.ts';
import {
  block,
  checkHeader,
  compression,
  type Extended,
  invalid,
  notTar,
  numberAt,
  paxRecords,
  textAt,
  truncated,
  ustarName,
} from './tar-header.ts';

export type Member = { readonly offset: number; readonly size: number };

export type TarIndex = {
  /** A regular file by name, through links inside the archive. */
  find(name: string): Member | undefined;
  /** Whether the archive has its end mark: two blocks of zeros. */
  readonly complete: boolean;
};

type Entry = Member & { readonly link: string | undefined };

/** An image has few members; docker's old format three a layer. */
const mostMembers = 100_000;
const longestExtension = 1 << 20;

/** @throws RootlessError ARCHIVE_NOT_FOUND, ARCHIVE_TRUNCATED, ARCHIVE_INVALID, ARCHIVE_COMPRESSED */
export function readTarIndex(file: string, shown: string): TarIndex {
  const fd = openArchive(file, shown);
  try {
    const { entries, complete } = scan(fd, fstatSync(fd).size, shown);
    return { complete, find: (name) => follow(entries, name) };
  } finally {
    closeSync(fd);
  }
}

function openArchive(file: string, shown: string): number {
  let fd: number;
  try {
    // A fifo that nobody writes to would keep this process for ever, deaf to signals.
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new RootlessError({
      code: 'ARCHIVE_NOT_FOUND',
      message: `cannot open "${shown}"`,
      why: fileReason(cause),
      cause,
    });
  }
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw new RootlessError({ code: 'ARCHIVE_INVALID', message: `"${shown}" is not an archive`, why: 'it is not a plain file' });
}

function scan(fd: number, total: number, shown: string): { entries: Map<string, Entry>; complete: boolean } {
  const entries = new Map<string, Entry>();
  const header = Buffer.alloc(block);
  let global: Extended = {};
  let extended: Extended = {};
  for (let at = 0; at < total; ) {
    if (readSync(fd, header, 0, block, at) < block) throw compression(header) === undefined ? truncated(shown, at) : notTar(header, shown);
    if (header.every((byte) => byte === 0)) return { entries, complete: true };
    checkHeader(header, shown, at);
    const type = String.fromCharCode(header[156] ?? 0);
    const own = numberAt(header, 124, 12) ?? invalid(shown, at);
    const size = extensions.includes(type) ? own : (extended.size ?? own);
    const offset = at + block;
    at = offset + Math.ceil(size / block) * block;
    if (offset + size > total) throw truncated(shown, total);
    if (type === 'g') global = { ...global, ...readExtension(fd, type, offset, size, shown) };
    if (extensions.includes(type)) extended = { ...global, ...extended, ...readExtension(fd, type, offset, size, shown) };
    else {
      record(entries, header, type, extended, { offset, size });
      extended = global;
    }
    if (entries.size > mostMembers) throw invalid(shown, at);
  }
  return { entries, complete: false };
}

/** Members that only say something about the next one, or about all that follow (`g`). */
const extensions = 'xgLK';

function readExtension(fd: number, type: string, offset: number, size: number, shown: string): Extended {
  if (size > longestExtension) throw invalid(shown, offset);
  const body = Buffer.alloc(size);
  readSync(fd, body, 0, size, offset);
  if (type === 'L') return { name: textAt(body, 0, size) };
  if (type === 'K') return { link: textAt(body, 0, size) };
  return paxRecords(body, shown, offset);
}

/** Keeps regular files and links. The last of several members of one name wins, as it would when extracting. */
function record(entries: Map<string, Entry>, header: Buffer, type: string, extended: Extended, member: Member): void {
  const name = plain(extended.name ?? ustarName(header));
  const target = extended.link ?? textAt(header, 157, 100);
  if (type === '0' || type === '\0' || type === '7') entries.set(name, { ...member, link: undefined });
  if (type === '1') entries.set(name, { ...member, link: plain(target) });
  if (type === '2') entries.set(name, { ...member, link: resolve(name, target) });
}

/** docker save writes a layer that comes twice as a symbolic link to its first copy. */
function follow(entries: ReadonlyMap<string, Entry>, name: string): Member | undefined {
  let entry = entries.get(plain(name));
  for (let hops = 0; entry?.link !== undefined && hops < 16; hops += 1) entry = entries.get(entry.link);
  return entry?.link === undefined ? entry : undefined;
}

/** `./a//b/` and `a/b` are one name. */
function plain(name: string): string {
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

function resolve(name: string, target: string): string {
  const parts = plain(name).split('/').slice(0, -1);
  for (const part of target.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}
