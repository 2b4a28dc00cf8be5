/** Archives are read by offset, and looked at before: what comes through a pipe or from a server is written down first. */

import { createReadStream, createWriteStream, fstatSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { RootlessError } from '../errors.ts';
import { makeFolders, type Paths } from '../paths.ts';
import { temporaryName } from './atomic.ts';
import { explainDisk } from './disk.ts';
import { openHttp } from './http.ts';
import type { PlainArchive } from './inflate.ts';
import { parseUrl } from './proxy.ts';
import { imagesFolder } from './store.ts';

/** The file itself, where it is one already. `undefined` is standard input. @throws RootlessError ARCHIVE_NOT_FOUND, DISK_FULL */
export async function spoolInput(paths: Paths, input: string | undefined, signal?: AbortSignal): Promise<PlainArchive> {
  if (input === undefined)
    return fstatSync(0).isFile() ? whole('/dev/stdin') : spool(paths, createReadStream('', { fd: 0, autoClose: false }), signal);
  const found = statSync(input, { throwIfNoEntry: false });
  if (found === undefined || found.isFile()) return whole(input);
  return spool(paths, createReadStream(input), signal);
}

/** What a server gives, through its redirects. @throws RootlessError DOWNLOAD_FAILED, DISK_FULL */
export async function spoolUrl(paths: Paths, url: string, signal?: AbortSignal): Promise<PlainArchive> {
  const http = openHttp({ environment: paths.registry, verify: true, idle: 60_000 });
  const failed = (why: string, cause?: unknown) =>
    new RootlessError({ code: 'DOWNLOAD_FAILED', message: `cannot download "${url}"`, why, exit: 1, cause });
  try {
    let at = new URL(url);
    for (let hops = 0; hops <= 5; hops += 1) {
      const response = await http.send(at, { signal });
      const { statusCode = 0, headers } = response;
      if (statusCode === 200) return await spool(paths, response, signal);
      response.destroy();
      const next = headers.location === undefined ? undefined : parseUrl(headers.location, at);
      if (statusCode < 300 || statusCode > 399 || next === undefined) throw failed(`the server answered ${statusCode}`);
      if (!/^https?:$/.test(next.protocol) || (at.protocol === 'https:' && next.protocol === 'http:'))
        throw failed('it leads from https to http');
      at = next;
    }
    throw failed('there are more than 5 redirects in a row');
  } catch (cause) {
    signal?.throwIfAborted();
    throw cause instanceof RootlessError ? cause : failed((cause as Error).message, cause);
  } finally {
    http.close();
  }
}

/** A file that stays when it was read. */
export function whole(file: string): PlainArchive {
  return { file, [Symbol.dispose]: () => undefined };
}

async function spool(paths: Paths, source: Readable, signal: AbortSignal | undefined): Promise<PlainArchive> {
  makeFolders(imagesFolder(paths));
  const file = temporaryName(join(imagesFolder(paths), 'spooled'));
  try {
    await pipeline(source, createWriteStream(file, { mode: 0o600 }), signal ? { signal } : {});
  } catch (cause) {
    rmSync(file, { force: true });
    signal?.throwIfAborted();
    throw explainDisk(cause, paths);
  }
  return { file, [Symbol.dispose]: () => rmSync(file, { force: true }) };
}
