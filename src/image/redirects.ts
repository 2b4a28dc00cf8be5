/** Following redirects: blobs lead to storage servers with signed URLs, and our authorization is for the registry alone. */

import type { IncomingMessage } from 'node:http';
import { RootlessError } from '../errors.ts';
import type { HttpClient, Outgoing } from './http.ts';
import { parseUrl } from './proxy.ts';

export type Route = {
  /** The registry as messages name it. */
  readonly registry: string;
  /** Shown to the first host only. */
  readonly authorization: string | undefined;
  /** Whether https may lead to http. */
  readonly mayBePlain: boolean;
};

const most = 5;

/** @throws RootlessError REGISTRY_REDIRECT */
export async function follow(http: HttpClient, start: URL, outgoing: Outgoing, route: Route): Promise<IncomingMessage> {
  const { authorization } = route;
  const secret = authorization === undefined ? {} : { authorization };
  let url = start;
  for (let hops = 0; hops <= most; hops += 1) {
    const headers = url.origin === start.origin ? { ...outgoing.headers, ...secret } : (outgoing.headers ?? {});
    const response = await http.send(url, { ...outgoing, headers });
    const status = response.statusCode ?? 0;
    const { location } = response.headers;
    if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return response;
    response.destroy();
    url = next(url, location, status, outgoing, route);
  }
  throw bad(route, `there are more than ${most} in a row`);
}

function next(from: URL, location: string, status: number, { method = 'GET' }: Outgoing, route: Route): URL {
  const to = parseUrl(location, from);
  if (to === undefined || !/^https?:$/.test(to.protocol)) throw bad(route, 'it leads to no http or https URL');
  if (to.protocol === 'http:' && from.protocol === 'https:' && !route.mayBePlain) throw bad(route, 'it leads from https to http');
  // RFC 9110, 15.4: only 307 and 308 keep the method and the body.
  if (status < 307 && method !== 'GET' && method !== 'HEAD') throw bad(route, `it answers ${status} to ${method}`);
  return to;
}

function bad({ registry }: Route, why: string): RootlessError {
  return new RootlessError({
    code: 'REGISTRY_REDIRECT',
    message: `registry "${registry}" redirects to where we do not follow`,
    why,
  });
}
