/** Tar archives written entry by entry, so that they may be as wrong as a test needs (POSIX.1-1988 ustar, GNU and pax entries). */

export type Entry = {
  readonly name: string;
  /** Type flag: `0` file, `1` hard link, `2` symlink, `3` character device, `4` block device, `5` folder, `6` fifo, `x` pax, `L` GNU name. */
  readonly type?: string;
  readonly data?: string | Buffer;
  readonly link?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly major?: number;
  readonly minor?: number;
  /** The size in the header, where it should differ from the data. */
  readonly size?: number;
};

/** The whole archive, ended as POSIX asks. */
export function tarBytes(entries: readonly Entry[]): Buffer {
  return Buffer.concat([...entries.flatMap(entryBlocks), Buffer.alloc(1024)]);
}

/** A pax extended header for the entry that follows it. */
export function pax(records: Readonly<Record<string, string>>): Entry {
  const data = Object.entries(records)
    .map(([key, value]) => paxRecord(key, value))
    .join('');
  return { name: 'pax', type: 'x', data };
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts its own digits. */
function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (String(length).length + rest !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

function entryBlocks(entry: Entry): Buffer[] {
  const data = Buffer.from(entry.data ?? '');
  const type = entry.type ?? '0';
  const header = Buffer.alloc(512);
  const octal = (value: number, offset: number, length: number) =>
    header.write(value.toString(8).padStart(length - 1, '0'), offset, 'latin1');
  header.write(entry.name.slice(0, 100), 0);
  octal(entry.mode ?? (type === '5' ? 0o755 : 0o644), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(entry.size ?? data.length, 124, 12);
  octal(0, 136, 12);
  header.write(' '.repeat(8), 148);
  header.write(type, 156);
  header.write((entry.link ?? '').slice(0, 100), 157);
  header.write('ustar\x0000', 257, 'latin1');
  if (entry.major !== undefined) octal(entry.major, 329, 8);
  if (entry.minor !== undefined) octal(entry.minor, 337, 8);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return [header, data, Buffer.alloc((512 - (data.length % 512)) % 512)];
}
