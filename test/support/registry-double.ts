/** A registry in memory that misbehaves on request: real HTTP on loopback, no program and no waiting. */

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

/** Returns true when it has answered (or cut) the request itself. `count` is 1 for the first request of this path. */
export type Fault = (request: IncomingMessage, response: ServerResponse, count: number) => boolean | undefined;

export type Served = {
  readonly host: string;
  /** Every request so far, as `GET /v2/… [range] [authorization]`. */
  readonly log: readonly string[];
  /** Adds content; returns its descriptor. */
  put(bytes: Buffer | string, mediaType: string): { readonly mediaType: string; readonly digest: string; readonly size: number };
  /** Adds a manifest or index under a tag. */
  tag(repository: string, tag: string, document: object): { readonly mediaType: string; readonly digest: string; readonly size: number };
  /** Adds an image of these layers (tars, bottom first) under a tag. */
  image(
    repository: string,
    tag: string,
    layers: readonly Buffer[],
    platform?: object,
  ): { readonly mediaType: string; readonly digest: string; readonly size: number };
};

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

export async function withRegistryDouble(fault: Fault, body: (registry: Served) => Promise<void>): Promise<void> {
  const blobs = new Map<string, Buffer>();
  const tags = new Map<string, { digest: string; type: string }>();
  const counts = new Map<string, number>();
  const log: string[] = [];
  const server = createServer((request, response) => {
    const { url = '', headers } = request;
    log.push([request.method, url, headers.range, headers.authorization].filter(Boolean).join(' '));
    const count = (counts.get(url) ?? 0) + 1;
    counts.set(url, count);
    if (fault(request, response, count) !== true) answer(request, response, blobs, tags);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const put = (content: Buffer | string, mediaType: string) => {
    const bytes = Buffer.from(content);
    const digest = sha256(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const tag = (repository: string, name: string, document: object) => {
    const type = 'manifests' in document ? 'application/vnd.oci.image.index.v1+json' : manifestType;
    const stored = put(JSON.stringify(document), type);
    tags.set(`${repository}:${name}`, { digest: stored.digest, type });
    return stored;
  };
  const image = (
    repository: string,
    name: string,
    layers: readonly Buffer[],
    platform: object = { os: 'linux', architecture: 'amd64' },
  ) => {
    const rootfs = { type: 'layers', diff_ids: layers.map(sha256) };
    const config = put(JSON.stringify({ ...platform, config: { Cmd: ['true'] }, rootfs }), 'application/vnd.oci.image.config.v1+json');
    const stored = layers.map((layer) => put(gzipSync(layer, { level: 1 }), 'application/vnd.oci.image.layer.v1.tar+gzip'));
    return tag(repository, name, { schemaVersion: 2, mediaType: manifestType, config, layers: stored });
  };
  try {
    await body({ host, log, put, tag, image });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

export function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Answers with a status, as registries word their errors. */
export function refuse(response: ServerResponse, status: number, headers: Readonly<Record<string, string>> = {}): true {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ errors: [{ code: 'DENIED', message: `status ${status}` }] }));
  return true;
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  blobs: Map<string, Buffer>,
  tags: Map<string, { digest: string; type: string }>,
): void {
  const [, repository = '', kind = '', name = ''] = /^\/v2\/(.*)\/(manifests|blobs|tags)\/([^/?]+)$/.exec(request.url ?? '') ?? [];
  if (request.url === '/v2/') response.end('{}');
  else if (kind === 'tags') sendTags(response, repository, [...tags.keys()]);
  else {
    const known = tags.get(`${repository}:${name}`);
    const bytes = blobs.get(known?.digest ?? name);
    if (bytes === undefined) refuse(response, 404);
    else sendBytes(request, response, bytes, known?.type);
  }
}

function sendTags(response: ServerResponse, repository: string, names: readonly string[]): void {
  const own = names.filter((name) => name.startsWith(`${repository}:`)).map((name) => name.slice(repository.length + 1));
  if (own.length === 0) refuse(response, 404);
  else response.end(JSON.stringify({ name: repository, tags: own }));
}

function sendBytes(request: IncomingMessage, response: ServerResponse, bytes: Buffer, type = 'application/octet-stream'): void {
  const start = Number(/^bytes=([0-9]+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const range = start > 0 ? { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {};
  response.writeHead(start > 0 ? 206 : 200, { 'content-type': type, 'content-length': bytes.length - start, ...range });
  response.end(bytes.subarray(start));
}
