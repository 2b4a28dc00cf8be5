/** One tar header: ustar, pax records, numbers in octal or base 256. Pure; errors name the archive and the byte. */

import { RootlessError } from '../errors.ts';

export const block = 512;

/** What a pax or GNU member says about the next one. */
export type Extended = { name?: string; link?: string; size?: number };

/** The sum of all bytes with the checksum field taken as spaces: what makes 512 bytes a tar header. */
export function checkHeader(header: Buffer, shown: string, at: number): void {
  let sum = 8 * 0x20;
  for (let index = 0; index < block; index += 1) if (index < 148 || index >= 156) sum += header[index] ?? 0;
  if (sum === numberAt(header, 148, 8)) return;
  if (at === 0) throw notTar(header, shown);
  throw invalid(shown, at);
}

/** Octal, or base 256 when the highest bit is set (GNU, for sizes from 8 GiB). */
export function numberAt(header: Buffer, start: number, length: number): number | undefined {
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

export function textAt(bytes: Buffer, start: number, length: number): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? length : end).toString('utf8');
}

export function ustarName(header: Buffer): string {
  const prefix = header.toString('latin1', 257, 262) === 'ustar' && header[262] === 0 ? textAt(header, 345, 155) : '';
  const name = textAt(header, 0, 100);
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Records `LENGTH KEY=VALUE\n`, LENGTH counting itself (pax, IEEE 1003.1). */
export function paxRecords(body: Buffer, shown: string, offset: number): Extended {
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

export function notTar(header: Buffer, shown: string): RootlessError {
  const name = compression(header);
  if (name === undefined) return new RootlessError({ code: 'ARCHIVE_INVALID', message: `"${shown}" is not a tar archive` });
  return new RootlessError({
    code: 'ARCHIVE_COMPRESSED',
    message: `"${shown}" is compressed as a whole`,
    why: `its layers cannot be found inside ${name}`,
    fix: `${name} -d < FILE > FILE.tar, then use FILE.tar`,
  });
}

export function compression(header: Buffer): 'zstd' | 'xz' | 'bzip2' | undefined {
  const magic = header.toString('hex', 0, 4);
  return magic === '28b52ffd' ? 'zstd' : magic === 'fd377a58' ? 'xz' : magic.startsWith('425a68') ? 'bzip2' : undefined;
}

export function invalid(shown: string, at: number): never {
  throw new RootlessError({
    code: 'ARCHIVE_INVALID',
    message: `"${shown}" is damaged`,
    why: `there is no valid tar header at byte ${at}`,
  });
}

export function truncated(shown: string, at: number): RootlessError {
  return new RootlessError({
    code: 'ARCHIVE_TRUNCATED',
    message: `"${shown}" ends too early`,
    why: `a member goes on after byte ${at}`,
  });
}
