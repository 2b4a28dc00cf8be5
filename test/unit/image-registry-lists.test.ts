/** Lists of a registry page by page, parts of blobs, and the old search: from a registry that may lie about all of it. */

import type { ServerResponse } from 'node:http';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Digest } from '../../src/image/digest.ts';
import { parseReference } from '../../src/image/reference.ts';
import { openRegistry } from '../../src/image/registry.ts';
import { listRepositories, listTags, searchByTerm } from '../../src/image/search.ts';
import { findPaths } from '../../src/paths.ts';
import { type Fault, refuse, type Served, withRegistryDouble } from '../support/registry-double.ts';

const environment = {
  ...findPaths({ HOME: '/dev/null/x', XDG_RUNTIME_DIR: '/dev/null/x' }).registry,
  registriesFolders: [],
  registriesFiles: [],
};
const settings = { environment, tlsVerify: false, idle: 30_000, pause: () => Promise.resolve() };

/** Ten names a page; `link` makes the header that leads to the next one. */
function pages(key: 'tags' | 'repositories', total: number, link: (next: string, host: string) => string): Fault {
  return (request, response) => {
    const url = new URL(request.url ?? '', `http://${request.headers.host}`);
    if (!/\/tags\/list$|\/_catalog$/.test(url.pathname)) return false;
    const start = Number(url.searchParams.get('last') ?? 0);
    const names = Array.from({ length: Math.min(10, total - start) }, (_, index) => `n${String(start + index).padStart(4, '0')}`);
    if (start + 10 < total) response.setHeader('link', link(`${url.pathname}?n=10&last=${start + 10}`, url.host));
    response.end(JSON.stringify({ name: 'x', [key]: names }));
    return true;
  };
}

const count = ({ log }: Served, word: string) => log.filter((line) => line.includes(word)).length;

test('tags are read to the last page', () =>
  withRegistryDouble(
    pages('tags', 95, (next) => `<${next}>; rel="next"`),
    async (registry) => {
      const tags = await listTags(parseReference(`${registry.host}/x`), settings);
      assert.equal([tags.length, tags[0], tags.at(-1)], [95, 'n0000', 'n0094']);
      assert.is(count(registry, 'tags/list'), 10);
    },
  ));

test('a catalog is read to the last page, whose link may be a whole address', () =>
  withRegistryDouble(
    pages('repositories', 25, (next, host) => `<http://${host}${next}>; title="a, b"; rel=next`),
    async ({ host }) => {
      assert.is((await listRepositories(host, settings)).length, 25);
    },
  ));

test('a list that goes round in circles ends', () =>
  withRegistryDouble(
    pages('tags', 1000, () => '</v2/x/tags/list?n=10&last=0>; rel="next"'),
    async (registry) => {
      assert.is((await listTags(parseReference(`${registry.host}/x`), settings)).length, 10);
      assert.is(count(registry, 'tags/list'), 2);
    },
  ));

test('a next page on another host is not asked for: it would see our login', () =>
  withRegistryDouble(
    () => assert.unreachable('the other host was asked') as never,
    async (other) => {
      await withRegistryDouble(
        pages('tags', 100, (next) => `<http://${other.host}${next}>; rel="next"`),
        async ({ host }) => {
          assert.is((await listTags(parseReference(`${host}/x`), settings)).length, 10);
        },
      );
    },
  ));

for (const [what, body, code] of [
  ['no JSON', '<html>', 'REGISTRY_LIST_INVALID'],
  ['no list', '{"tags": "many"}', 'REGISTRY_LIST_INVALID'],
  ['more than a page may have', JSON.stringify({ tags: ['x'.repeat(5_000_000)] }), 'REGISTRY_LIST_INVALID'],
] as const) {
  test(`tags that are ${what} are ${code}`, () =>
    withRegistryDouble(
      (_request, response) => {
        response.end(body);
        return true;
      },
      async ({ host }) => {
        const error = await listTags(parseReference(`${host}/x`), settings).catch((cause: unknown) => cause);
        assert.is((error as { code?: string }).code, code);
      },
    ));
}

test('a repository without tags has none', () =>
  withRegistryDouble(
    (_request, response) => {
      response.end('{"name":"x","tags":null}');
      return true;
    },
    async ({ host }) => assert.equal(await listTags(parseReference(`${host}/x`), settings), []),
  ));

test('a word is searched for where a registry answers such questions', async () => {
  const results = [
    { name: 'team/app', description: 'An app', star_count: 7, is_official: false },
    { name: 'app', star_count: 3, is_official: true },
  ];
  await withRegistryDouble(
    (request, response) => {
      if (!request.url?.startsWith('/v1/search?')) return false;
      response.end(JSON.stringify({ num_results: 2, results }));
      return true;
    },
    async (registry) => {
      const hits = await searchByTerm(registry.host, 'a pp', 5, settings);
      assert.equal(
        hits?.map(({ name, stars, official }) => [name, stars, official]),
        [
          [`${registry.host}/team/app`, 7, false],
          [`${registry.host}/app`, 3, true],
        ],
      );
      assert.ok(registry.log.includes('GET /v1/search?q=a+pp&n=5'), registry.log.join());
    },
  );
  await withRegistryDouble(
    () => false,
    async ({ host }) => assert.is(await searchByTerm(host, 'x', 5, settings), undefined),
  );
});

const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) & 255));

/** Serves `bytes=A-B` of the content in the way that `how` says. */
function ranged(how: 'well' | 'not' | 'cut' | 'elsewhere' | 'resized'): Fault {
  let cuts = how === 'cut' ? 2 : 0;
  return (request, response) => {
    const [, from, to] = /^bytes=([0-9]+)-([0-9]+)$/.exec(request.headers.range ?? '') ?? [];
    if (!request.url?.includes('/blobs/') || from === undefined || how === 'not') return false;
    const start = how === 'elsewhere' ? 0 : Number(from);
    const part = content.subarray(start, Number(to) + 1);
    const total = how === 'resized' ? 5 : content.length;
    response.writeHead(206, { 'content-range': `bytes ${start}-${to}/${total}`, 'content-length': part.length });
    if (cuts-- > 0) response.write(part.subarray(0, 1000), () => setImmediate(() => request.socket.destroySoon()));
    else response.end(part);
    return true;
  };
}

function part(how: Parameters<typeof ranged>[0], start: number, length: number): Promise<Buffer | undefined> {
  let result: Buffer | undefined;
  return withRegistryDouble(ranged(how), async (served) => {
    const { digest, size } = served.put(content, 'x');
    const registry = openRegistry(parseReference(`${served.host}/x`), settings);
    const chunks: Buffer[] = [];
    try {
      const range = await registry.range({ digest: digest as Digest, size }, start, length);
      for await (const chunk of range ?? []) chunks.push(chunk);
      result = range === undefined ? undefined : Buffer.concat(chunks);
    } finally {
      registry.close();
    }
  }).then(() => result);
}

test('a part of a blob is exactly that part, also over a wire that breaks', async () => {
  for (const how of ['well', 'cut'] as const) assert.ok((await part(how, 500, 40_000))?.equals(content.subarray(500, 40_500)), how);
  assert.is((await part('well', 99_999, 1))?.[0], content[99_999]);
});

test('a server without ranges is known by its answer', async () => assert.is(await part('not', 1, 2), undefined));

test('another part, or a part of another blob, is refused', async () => {
  for (const [how, code] of [
    ['elsewhere', 'BODY_TRUNCATED'],
    ['resized', 'SIZE_MISMATCH'],
  ] as const) {
    const error = await part(how, 500, 100).catch((cause: unknown) => cause);
    assert.is((error as { code?: string }).code, code);
  }
});

test('parallel requests that meet a 401 share one login', () => {
  let tokens = 0;
  const fault: Fault = (request, response: ServerResponse) => {
    if (request.url?.startsWith('/token')) {
      tokens += 1;
      setTimeout(() => response.end('{"token":"t"}'), 20);
      return true;
    }
    if (request.headers.authorization === 'Bearer t') return false;
    return refuse(response, 401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token",service="s"` });
  };
  return withRegistryDouble(fault, async (served) => {
    const registry = openRegistry(parseReference(`${served.host}/x`), settings);
    served.image('x', '1', [Buffer.alloc(512)]);
    await Promise.all([1, 2, 3, 4].map(() => registry.manifest('1')));
    registry.close();
    assert.is(tokens, 1);
  });
});

test.run();
