/** A registry in memory that takes uploads by the letter of the distribution-spec, and whose uploads survive a request that is cut. */

import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type UploadFault = {
  /** Cuts the connection after so many bytes of a PATCH or PUT. */
  readonly cut?: number;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Asked before each request; `count` is 1 for the first of its method. */
export type UploadPlan = (method: string, url: string, count: number) => UploadFault | undefined;

export type Taken = {
  readonly host: string;
  /** `METHOD PATH[ content-range]`, ids of uploads as ID. */
  readonly log: readonly string[];
  readonly blobs: ReadonlyMap<string, Buffer>;
  /** By `REPOSITORY:NAME`. */
  readonly manifests: ReadonlyMap<string, { readonly type: string; readonly bytes: Buffer }>;
};

type State = {
  readonly log: string[];
  readonly blobs: Map<string, Buffer>;
  readonly manifests: Map<string, { readonly type: string; readonly bytes: Buffer }>;
  readonly uploads: Map<string, Buffer[]>;
};

/** @param features  `referrers`: the API is there; `relative`: places of uploads are paths */
export async function withUploadDouble(
  plan: UploadPlan,
  body: (taken: Taken) => Promise<void>,
  features: { readonly referrers?: boolean; readonly relative?: boolean } = {},
): Promise<void> {
  const state: State = { log: [], blobs: new Map(), manifests: new Map(), uploads: new Map() };
  const counts = new Map<string, number>();
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    state.log.push([method, url.replace(/uploads\/[0-9a-f-]{36}/, 'uploads/ID'), headers['content-range']].filter(Boolean).join(' '));
    const count = (counts.get(method) ?? 0) + 1;
    counts.set(method, count);
    const fault = plan(method, url, count);
    if (fault?.status !== undefined) {
      request.resume();
      response.writeHead(fault.status, fault.headers);
      response.end();
    } else void serve(request, response, state, fault ?? {}, features).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { log, blobs, manifests } = state;
  try {
    await body({ host: `127.0.0.1:${(server.address() as AddressInfo).port}`, log, blobs, manifests });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

type Features = { readonly referrers?: boolean; readonly relative?: boolean };

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  state: State,
  fault: UploadFault,
  features: Features,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '', `http://${request.headers.host}`);
  const [, repository = '', kind = '', name = ''] =
    /^\/v2\/(.+)\/(manifests|blobs\/uploads|blobs|referrers)\/([^/]*)$/.exec(pathname) ?? [];
  const method = request.method ?? '';
  for (const [header, value] of Object.entries(fault.headers ?? {})) response.setHeader(header, value);
  if (kind === 'blobs/uploads')
    return upload(request, response, state, { repository, id: name, digest: searchParams.get('digest'), fault, features });
  if (kind === 'manifests' && method === 'PUT') return takeManifest(request, response, state, { repository, name, features });
  const known = kind === 'manifests' ? state.manifests.get(`${repository}:${name}`) : undefined;
  const bytes = known?.bytes ?? (kind === 'blobs' ? state.blobs.get(name) : undefined);
  response.writeHead(bytes === undefined && pathname !== '/v2/' ? 404 : 200, {
    ...(known && { 'content-type': known.type }),
    ...(bytes && { 'content-length': bytes.length }),
  });
  response.end(method === 'HEAD' ? undefined : bytes);
}

type Upload = {
  readonly repository: string;
  readonly id: string;
  readonly digest: string | null;
  readonly fault: UploadFault;
  readonly features: Features;
};

async function upload(request: IncomingMessage, response: ServerResponse, state: State, ask: Upload): Promise<void> {
  const { repository, digest, fault, features } = ask;
  const id = request.method === 'POST' ? randomUUID() : ask.id;
  if (request.method === 'POST') state.uploads.set(id, []);
  const chunks = state.uploads.get(id);
  if (chunks === undefined) return refuse(response, 404);
  if (request.method === 'DELETE') state.uploads.delete(id);
  const size = () => chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const start = /^([0-9]+)-/.exec(request.headers['content-range'] ?? '')?.[1];
  if (start !== undefined && Number(start) !== size()) return refuse(response, 416);
  let left = fault.cut ?? Number.POSITIVE_INFINITY;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    chunks.push(chunk.subarray(0, left));
    left -= chunk.length;
    if (left > 0) continue;
    request.socket.destroy();
    return;
  }
  const path = `/v2/${repository}/blobs/uploads/${id}`;
  response.setHeader('location', features.relative ? path : `http://${request.headers.host}${path}`);
  if (size() > 0) response.setHeader('range', `0-${size() - 1}`);
  if (request.method !== 'PUT') {
    response.writeHead(request.method === 'GET' ? 204 : 202);
  } else {
    const whole = Buffer.concat(chunks);
    if (digest !== sha256(whole)) return refuse(response, 400, 'DIGEST_INVALID');
    state.blobs.set(digest, whole);
    state.uploads.delete(id);
    response.writeHead(201);
  }
  response.end();
}

async function takeManifest(
  request: IncomingMessage,
  response: ServerResponse,
  state: State,
  { repository, name, features }: { readonly repository: string; readonly name: string; readonly features: Features },
): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const document = JSON.parse(bytes.toString()) as {
    subject?: { digest: string };
    layers?: { digest: string }[];
    config?: { digest: string };
  };
  const wanted = [...(document.layers ?? []), ...(document.config ? [document.config] : [])];
  if (wanted.some(({ digest }) => !state.blobs.has(digest))) return refuse(response, 400, 'MANIFEST_BLOB_UNKNOWN');
  const stored = { type: request.headers['content-type'] ?? '', bytes };
  for (const key of [name, sha256(bytes)]) state.manifests.set(`${repository}:${key}`, stored);
  const { subject } = document;
  response.writeHead(201, {
    'docker-content-digest': sha256(bytes),
    ...(subject && features.referrers && { 'oci-subject': subject.digest }),
  });
  response.end();
}

function refuse(response: ServerResponse, status: number, code = 'UNKNOWN'): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ errors: [{ code, message: `status ${status}` }] }));
}

function sha256(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
