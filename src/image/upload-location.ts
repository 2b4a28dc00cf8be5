/** What a registry says of an upload: where it goes on, how far it is, how small a part may be. */

import type { IncomingMessage } from 'node:http';
import { RootlessError } from '../errors.ts';
import { parseUrl } from './proxy.ts';
import type { Session } from './session.ts';

/** Where an upload goes on, and how small a part may be. */
export type Location = { readonly url: URL; readonly least: number };

/** How far the registry got; one that does not say it has taken everything. */
export function received(response: IncomingMessage, start: number, end: number): number {
  const last = rangeEnd(response);
  return last !== undefined && last + 1 > start && last + 1 < end ? last + 1 : end;
}

/** `Range: 0-1023`; some put the unit before it. */
export function rangeEnd({ headers }: IncomingMessage): number | undefined {
  const found = /^(?:bytes[= ])?0-([0-9]+)$/.exec(headers.range ?? '')?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Where the registry wants the upload to go on. */
export function locate(session: Session, response: IncomingMessage, from?: URL): Location {
  const least = Number(response.headers['oci-chunk-min-length'] ?? 0) || 0;
  const { location } = response.headers;
  if (location === undefined && from !== undefined) return { url: from, least };
  const url = location === undefined ? undefined : parseUrl(location, from ?? session.base);
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw nowhere(session, 'it names no place for the upload');
  // Behind a proxy that ends TLS, a registry often believes that it is spoken to in the clear.
  if (url.protocol === 'http:' && session.base.protocol === 'https:') {
    if (url.hostname !== session.base.hostname) throw nowhere(session, 'an upload leads from https to http');
    url.protocol = 'https:';
  }
  return { url, least };
}

function nowhere(session: Session, why: string): RootlessError {
  const { registry } = session.endpoint;
  return new RootlessError({ code: 'REGISTRY_REDIRECT', message: `registry "${registry}" redirects to where we do not follow`, why });
}
