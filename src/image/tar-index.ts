/** Where the members of a tar archive lie: ustar, pax and GNU long names, read by offset and never extracted. */

import { closeSync, openSync, readSync, fstatSync } from 'node:fs';
import { RootlessError } from '../errors.ts';

export type Member = { readonly offset: number; readonly size: number };

export type TarIndex = {
  /** A regular file by name, through links inside the archive. */
  find(name: string): Member | undefined;
  /** Whether the archive has its end mark: two blocks of zeros. */
  readonly complete: boolean;
};

type Entry = Member & { readonly link: string | undefined };
type Extended = { name?: string; link?: string; size?: number };

const block = 512;
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
    fd = openSync(file, 'r');
  } catch (cause) {
    throw new RootlessError({
      code: 'ARCHIVE_NOT_FOUND',
      message: `cannot open "${shown}"`,
      why: (cause as Error).message,
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

/** The sum of all bytes with the checksum field taken as spaces: what makes 512 bytes a tar header. */
function checkHeader(header: Buffer, shown: string, at: number): void {
  let sum = 8 * 0x20;
  for (let index = 0; index < block; index += 1) if (index < 148 || index >= 156) sum += header[index] ?? 0;
  if (sum === numberAt(header, 148, 8)) return;
  if (at === 0) throw notTar(header, shown);
  throw invalid(shown, at);
}

/** Octal, or base 256 when the highest bit is set (GNU, for sizes from 8 GiB). */
function numberAt(header: Buffer, start: number, length: number): number | undefined {
  const field = header.subarray(start, start + length);
  if (((field[0] ?? 0) & 0x80) !== 0) {
    const value = field.reduce((sum, byte, index) => sum * 256 + (index === 0 ? byte & 0x7f : byte), 0);
    return Number.isSafeInteger(value) ? value : undefined;
  }
  const text = field
    .toString('latin1')
    .replace(/[\0 ]+$/, '')
    .trimStart();
  return /^[0-7]*$/.test(text) ? Number.parseInt(text || '0', 8) : undefined;
}

function textAt(bytes: Buffer, start: number, length: number): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? length : end).toString('utf8');
}

function ustarName(header: Buffer): string {
  const prefix = header.toString('latin1', 257, 262) === 'ustar' && header[262] === 0 ? textAt(header, 345, 155) : '';
  const name = textAt(header, 0, 100);
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Records `LENGTH KEY=VALUE\n`, LENGTH counting itself (pax, IEEE 1003.1). */
function paxRecords(body: Buffer, shown: string, offset: number): Extended {
  const found: Extended = {};
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(body.toString('latin1', at, space));
    if (!Number.isInteger(length) || length <= space - at + 1 || at + length > body.length) throw invalid(shown, offset + at);
    const record = body.toString('utf8', space + 1, at + length - 1);
    const equals = record.indexOf('=');
    const [key, value] = [record.slice(0, equals), record.slice(equals + 1)];
    if (key === 'path') found.name = value;
    if (key === 'linkpath') found.link = value;
    if (key === 'size') {
      if (!/^[0-9]{1,15}$/.test(value)) throw invalid(shown, offset + at);
      found.size = Number(value);
    }
    at += length;
  }
  return found;
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

function notTar(header: Buffer, shown: string): RootlessError {
  const name = compression(header);
  if (name === undefined) return new RootlessError({ code: 'ARCHIVE_INVALID', message: `"${shown}" is not a tar archive` });
  return new RootlessError({
    code: 'ARCHIVE_COMPRESSED',
    message: `"${shown}" is compressed as a whole`,
    why: `its layers cannot be found inside ${name}`,
    fix: `${name} -d < FILE > FILE.tar, then use FILE.tar`,
  });
}

function compression(header: Buffer): string | undefined {
  const magic = header.toString('hex', 0, 4);
  return magic === '28b52ffd' ? 'zstd' : magic === 'fd377a58' ? 'xz' : magic.startsWith('425a68') ? 'bzip2' : undefined;
}

function invalid(shown: string, at: number): never {
  throw new RootlessError({
    code: 'ARCHIVE_INVALID',
    message: `"${shown}" is damaged`,
    why: `there is no valid tar header at byte ${at}`,
  });
}

function truncated(shown: string, at: number): RootlessError {
  return new RootlessError({
    code: 'ARCHIVE_TRUNCATED',
    message: `"${shown}" ends too early`,
    why: `a member goes on after byte ${at}`,
  });
}
