/** A new file that is written while its content arrives: in large pieces, beside the reading of the next. */

import { type FileHandle, open } from 'node:fs/promises';

/** Given everything that is written, and waited for. */
export type Tee = (bytes: Uint8Array) => Promise<void> | undefined;

/** Small enough for several layers at once, large enough that a call for each costs nothing. */
const piece = 256 << 10;

export class BlobFile {
  readonly #file: FileHandle;
  readonly #tee: Tee | undefined;
  #waiting: Uint8Array[] = [];
  #size = 0;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle, tee: Tee | undefined) {
    this.#file = file;
    this.#tee = tee;
  }

  static async create(path: string, tee?: Tee): Promise<BlobFile> {
    return new BlobFile(await open(path, 'wx', 0o644), tee);
  }

  /** A failure may be that of earlier bytes. The chunk is not copied at once: it must not change. */
  async write(chunk: Uint8Array): Promise<void> {
    this.#waiting.push(chunk);
    this.#size += chunk.length;
    if (this.#size >= piece) await this.#pass();
  }

  /** All of it is on disk then. */
  async end(): Promise<void> {
    await this.#pass();
    await this.#writing;
    await this.#file.sync();
  }

  /** Whatever has happened. */
  async close(): Promise<void> {
    await this.#writing.catch(() => {});
    await this.#file.close();
  }

  async #pass(): Promise<void> {
    await this.#writing;
    const [first, ...more] = this.#waiting;
    if (first === undefined) return;
    const bytes = more.length === 0 ? first : Buffer.concat([first, ...more]);
    this.#waiting = [];
    this.#size = 0;
    this.#writing = this.#put(bytes);
    // Heard of by whoever writes next, or ends.
    this.#writing.catch(() => {});
  }

  async #put(bytes: Uint8Array): Promise<void> {
    await Promise.all([this.#writeAll(bytes), this.#tee?.(bytes)]);
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) at += (await this.#file.write(bytes, at)).bytesWritten;
  }
}
