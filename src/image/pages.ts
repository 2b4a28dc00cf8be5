/** Lists that come in pages: `Link: </v2/…?last=x&n=100>; rel="next"` (distribution-spec, "Listing Tags"; RFC 8288). */

import type { IncomingMessage } from 'node:http';
import { readLimited } from './auth.ts';
import { parseJson, texts } from './json.ts';
import { parseUrl } from './proxy.ts';
import type { Session } from './session.ts';

/** One page may be this large, and a list this long: more is a registry that goes round in circles. */
const pageLimit = 4 * 1024 * 1024;
const mostNames = 1_000_000;

/** Where the next page is, if there is one; only on the same host, since it would be asked with our login. */
export function nextPage({ headers }: IncomingMessage, base: URL): URL | undefined {
  for (const [, target = '', parameters = ''] of String(headers.link ?? '').matchAll(/<([^>]*)>((?:"[^"]*"|[^",<])*)/g)) {
    if (!/;\s*rel\s*=\s*"?next\b/i.test(parameters)) continue;
    const url = parseUrl(target, base);
    return url?.host === base.host ? new URL(url.pathname + url.search, base) : undefined;
  }
  return undefined;
}

/** All names of `key` in a list of pages, at most `limit`. @throws RootlessError of the registry, REGISTRY_LIST_INVALID */
export async function listPages(session: Session, path: string, key: 'tags' | 'repositories', limit = mostNames): Promise<string[]> {
  const names = new Set<string>();
  let target: string | URL | undefined = path;
  while (target !== undefined && names.size < limit) {
    const response = await session.request(target);
    if (response.statusCode !== 200) throw await session.refusal(response);
    const body = await readLimited(response, pageLimit);
    const before = names.size;
    for (const name of parseJson(body, 'REGISTRY_LIST_INVALID', `list of ${key} of "${session.endpoint.registry}"`, (root) =>
      texts(root, key),
    )) {
      names.add(name);
    }
    target = names.size === before ? undefined : nextPage(response, session.base);
  }
  return [...names].slice(0, limit);
}
