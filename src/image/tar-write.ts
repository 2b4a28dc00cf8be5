/** Writing a tar archive of plain files and folders: ustar, always the same bytes for the same content. */

import { type FileHandle, open } from 'node:fs/promises';
import { RootlessError } from '../errors.ts';
import { callersMode } from '../umask.ts';
import { block } from './tar-header.ts';

export type TarWriter = {
  folder(name: string): Promise<void>;
  /** @throws RootlessError SIZE_MISMATCH when `content` is not as long as it was said to be */
  file(name: string, size: number, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<void>;
  /** The end mark. */
  end(): Promise<void>;
};

/** To a path, or to an open descriptor, which stays open. */
export async function tarWriter(to: string | number): Promise<TarWriter & { close(sync: boolean): Promise<void> }> {
  const out = typeof to === 'number' ? descriptor(to) : await openFile(to);
  const file: TarWriter['file'] = async (name, size, content) => {
    await out.write(header(name, '0', size));
    let written = 0;
    for await (const chunk of content instanceof Uint8Array ? [content] : content) {
      written += chunk.length;
      if (written > size) break;
      await out.write(chunk);
    }
    if (written !== size) throw wrongSize(name, size, written);
    await out.write(Buffer.alloc((block - (size % block)) % block));
  };
  return {
    folder: (name) => out.write(header(`${name}/`, '5', 0)),
    file,
    end: () => out.write(Buffer.alloc(2 * block)),
    close: out.close,
  };
}

type Out = { write(bytes: Uint8Array): Promise<void>; close(sync: boolean): Promise<void> };

async function openFile(path: string): Promise<Out> {
  const file = await open(path, 'w', callersMode(0o644));
  return {
    write: (bytes) => writeAll(file, bytes),
    close: async (sync) => {
      try {
        if (sync) await file.sync();
      } finally {
        await file.close();
      }
    },
  };
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

/** Pipes take part of what they are given, or nothing for a while: the stream waits for them. */
function descriptor(fd: number): Out {
  const { createWriteStream } = process.getBuiltinModule('node:fs');
  const stream = createWriteStream('', { fd, autoClose: false });
  const failed = new Promise<never>((_resolve, reject) => stream.once('error', reject));
  failed.catch(() => {});
  const written = (bytes: Uint8Array) =>
    new Promise<void>((resolve, reject) => stream.write(bytes, (error) => (error ? reject(error) : resolve())));
  return {
    write: (bytes) => (bytes.length === 0 ? Promise.resolve() : Promise.race([written(bytes), failed])),
    close: () => Promise.resolve(),
  };
}

/** POSIX.1-1988, with GNU's base 256 for sizes from 8 GiB. Our names are ASCII and short. */
function header(name: string, type: '0' | '5', size: number): Buffer {
  const bytes = Buffer.alloc(block);
  const octal = (value: number, at: number, length: number) => bytes.write(value.toString(8).padStart(length - 1, '0'), at, 'latin1');
  bytes.write(name, 0, 100, 'latin1');
  octal(type === '5' ? 0o755 : 0o644, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  if (size < 8 ** 11) octal(size, 124, 12);
  else {
    bytes.writeBigUInt64BE(BigInt(size), 128);
    bytes[124] = 0x80;
  }
  octal(0, 136, 12);
  bytes.write('        ', 148, 'latin1');
  bytes.write(type, 156, 'latin1');
  bytes.write('ustar\x0000', 257, 'latin1');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

function wrongSize(name: string, size: number, written: number): RootlessError {
  return new RootlessError({
    code: 'SIZE_MISMATCH',
    message: `wrong size of "${name}"`,
    why: `its descriptor says ${size} bytes, the content has ${written > size ? 'more' : written}`,
  });
}
