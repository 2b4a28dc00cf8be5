/** A token server for docker-registry (distribution, "Token Authentication"): signs what a policy allows, over plain HTTP on loopback. */

import { createPrivateKey, type KeyObject, randomUUID, sign, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export type TokenServer = {
  readonly realm: string;
  /** Every question, as `METHOD USER SCOPE,SCOPE`, with `refresh` for a refresh token. */
  readonly asked: readonly string[];
};

export type TokenOptions = {
  /** Seconds that a token lives. */
  readonly lifetime?: number;
  /** Gives a refresh token to who asks for one. */
  readonly refresh?: boolean;
};

const service = 'tests';
const issuer = 'token server of the tests';
/** What `registry.ts` tells docker-registry of it. */
export const tokenAuth = (realm: string, bundle: string) => ({ token: { realm, service, issuer, rootcertbundle: bundle } });

/** ana with the password secret may do everything; strangers may pull what is below public/. Needs server.key and server.crt in the folder. */
export async function withTokenServer(folder: string, options: TokenOptions, body: (server: TokenServer) => Promise<void>): Promise<void> {
  const key = createPrivateKey(readFileSync(join(folder, 'server.key')));
  const certificate = new X509Certificate(readFileSync(join(folder, 'server.crt'))).raw.toString('base64');
  const asked: string[] = [];
  const server = createServer((request, response) => {
    void readQuestion(request).then((question) => {
      asked.push([request.method, question.user ?? question.grant ?? '-', question.scopes.join(',')].join(' '));
      answer(response, question, { key, certificate, ...options });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await body({ realm: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`, asked });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

type Question = {
  readonly user: string | undefined;
  readonly known: boolean;
  readonly grant: string | undefined;
  readonly scopes: readonly string[];
  readonly offline: boolean;
};

const refreshToken = 'refresh-token-of-ana';

async function readQuestion(request: IncomingMessage): Promise<Question> {
  const url = new URL(request.url ?? '', 'http://here');
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const form = new URLSearchParams(Buffer.concat(chunks).toString());
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  const [user, password] = basic === undefined ? [] : Buffer.from(basic, 'base64').toString().split(':');
  const refreshed = form.get('refresh_token');
  const scopes = [...url.searchParams.getAll('scope'), ...(form.get('scope') ?? '').split(' ')].filter(Boolean);
  return {
    user,
    known: (user === undefined && refreshed === null) || (user === 'ana' && password === 'secret') || refreshed === refreshToken,
    grant: refreshed === null ? undefined : 'refresh',
    scopes,
    offline: url.searchParams.get('offline_token') === 'true',
  };
}

type Signer = TokenOptions & { readonly key: KeyObject; readonly certificate: string };

function answer(response: ServerResponse, question: Question, signer: Signer): void {
  if (!question.known) {
    response.writeHead(401, { 'content-type': 'application/json' });
    response.end('{"errors":[{"code":"UNAUTHORIZED","message":"wrong password"}]}');
    return;
  }
  const { lifetime = 300, refresh = false } = signer;
  const trusted = question.user !== undefined || question.grant !== undefined;
  const access = question.scopes.map((scope) => {
    const [, type = '', name = '', actions = ''] = /^([^:]+):(.+):([^:]+)$/.exec(scope) ?? [];
    const allowed = actions.split(',').filter((action) => trusted || (action === 'pull' && name.startsWith('public/')));
    return { type, name, actions: allowed };
  });
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: issuer,
    sub: question.user ?? 'ana',
    aud: service,
    iat: now,
    nbf: now - 10,
    exp: now + lifetime,
    jti: randomUUID(),
    access,
  };
  const token = jwt(claims, signer);
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ token, expires_in: lifetime, ...(refresh && question.offline && { refresh_token: refreshToken }) }));
}

/** RFC 7519, signed with ES256; the certificate travels in the header. */
function jwt(claims: object, { key, certificate }: Signer): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${encode({ typ: 'JWT', alg: 'ES256', x5c: [certificate] })}.${encode(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
