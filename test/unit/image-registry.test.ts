/** Pulling from registries that misbehave: what heals is healed, what does not has its code, and the store stays clean. */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Platform } from '../../src/image/platform.ts';
import { parseReference } from '../../src/image/reference.ts';
import { resolveImage } from '../../src/image/resolve.ts';
import { imageFacts } from '../../src/image/facts.ts';
import { listImages } from '../../src/image/store.ts';
import { pull } from '../../src/image/transfer.ts';
import { findPaths, type Paths } from '../../src/paths.ts';
import { type Fault, refuse, type Served, withRegistryDouble } from '../support/registry-double.ts';

const amd64: Platform = { os: 'linux', architecture: 'amd64' };
/** Noise, which gzip cannot make smaller, and the same every time. */
const layer = noise(400_000);

function noise(length: number): Buffer {
  let state = 1;
  return Buffer.from(
    Array.from({ length }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state >>> 24;
    }),
  );
}

type Scene = {
  readonly registry: Served;
  readonly paths: Paths;
  readonly folder: string;
  readonly pauses: number[];
  fetch(name: string, signal?: AbortSignal): Promise<unknown>;
};

/** A store of its own and a registry with `x:1`. Pauses are counted instead of waited for. */
async function scene(fault: Fault, body: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'registry-'));
  try {
    await withRegistryDouble(fault, async (registry) => {
      registry.image('x', '1', [layer]);
      const paths = findPaths({ HOME: folder, ROOTLESS_DATA: join(folder, 'data'), XDG_RUNTIME_DIR: folder });
      const pauses: number[] = [];
      const pause = (milliseconds: number) => {
        pauses.push(milliseconds);
        return Promise.resolve();
      };
      const fetch = (name: string, signal?: AbortSignal) =>
        pull(parseReference(`${registry.host}/${name}`), { paths, platform: amd64, pause, idle: 30_000, tlsVerify: false, signal });
      await body({ registry, paths, folder, pauses, fetch });
      assert.equal(temporaryFiles(join(folder, 'data/images')), [], 'temporary files are left');
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function temporaryFiles(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('.tmp-')) : [];
}

/** @returns the error, which must have this code */
async function fails(
  work: Promise<unknown>,
  code: string,
): Promise<{ readonly message: string; readonly why?: string; readonly fix?: string }> {
  const error: unknown = await work.then(
    () => ({ code: 'nothing, it succeeded' }),
    (cause: unknown) => cause,
  );
  const { code: found } = error as { code?: string };
  assert.is(found, code, error instanceof Error ? error.stack : undefined);
  return error as Error;
}

const isBlob = (url: string | undefined) => url?.includes('/blobs/') === true;
const never: Fault = () => undefined;

test('a pulled image is in the store whole, and known by name', () =>
  scene(never, async ({ fetch, paths, registry }) => {
    await fetch('x:1');
    const [facts] = imageFacts(paths);
    assert.is(`${facts?.repository}:${facts?.tag}`, `${registry.host}/x:1`);
    const layout = JSON.parse(readFileSync(join(paths.data, 'images/oci-layout'), 'utf8')) as { imageLayoutVersion: string };
    assert.is(layout.imageLayoutVersion, '1.0.0');
  }));

test('a second pull fetches no blob again', () =>
  scene(never, async ({ fetch, registry }) => {
    await fetch('x:1');
    const before = registry.log.filter((line) => line.includes('/blobs/')).length;
    await fetch('x:1');
    const after = registry.log.filter((line) => line.includes('/blobs/')).length;
    assert.is(after - before, 0);
  }));

/** Sends the layer only up to `bytes` on the first `times` requests, then cuts the connection. */
function cutting(bytes: number, times: number): Fault {
  let left = times;
  return (request, response) => {
    if (!isBlob(request.url)) return false;
    const { end } = response;
    if (left === 0) return false;
    response.end = ((chunk: Buffer) => {
      if (chunk.length <= bytes) return end.call(response, chunk, 'utf8');
      left -= 1;
      response.write(chunk.subarray(0, bytes), () => request.socket.destroy());
      return response;
    }) as ServerResponse['end'];
    return false;
  };
}

test('a body that is cut is resumed where it ended', () =>
  scene(cutting(50_000, 2), async ({ fetch, registry, pauses }) => {
    await fetch('x:1');
    assert.equal(registry.log.map((line) => /bytes=[0-9]+-/.exec(line)?.[0]).filter(Boolean), ['bytes=50000-', 'bytes=100000-']);
    assert.is(pauses.length, 2);
  }));

test('a server that ignores ranges is read again from the start', () => {
  const cut = cutting(50_000, 1);
  const fault: Fault = (request, response, count) => {
    delete request.headers.range;
    return cut(request, response, count);
  };
  return scene(fault, async ({ fetch }) => {
    await fetch('x:1');
  });
});

test('a body that never comes whole is given up after five attempts', () =>
  scene(
    (request, response) => {
      if (!isBlob(request.url) || request.headers.range === undefined) return cutting(20_000, 1)(request, response, 1);
      request.socket.destroy();
      return true;
    },
    async ({ fetch, paths }) => {
      await fails(fetch('x:1'), 'REGISTRY_UNREACHABLE');
      assert.equal(listImages(paths), []);
    },
  ));

test('a body that always ends early is BODY_TRUNCATED', () =>
  scene(cutting(1000, 1000), async ({ fetch, paths }) => {
    await fails(fetch('x:1'), 'BODY_TRUNCATED');
    assert.equal(listImages(paths), []);
  }));

test('another length than the descriptor says is SIZE_MISMATCH', () =>
  scene(
    (request, response) => {
      if (!isBlob(request.url)) return false;
      response.end('short');
      return true;
    },
    async ({ fetch, registry }) => {
      await fails(fetch('x:1'), 'SIZE_MISMATCH');
      assert.is(registry.log.filter((line) => line.includes('/blobs/')).length, 1);
    },
  ));

test('more bytes than the descriptor says are not read to their end', () =>
  scene(
    (request, response) => {
      if (!isBlob(request.url)) return false;
      response.writeHead(200);
      response.write(Buffer.alloc(10_000_000));
      return true;
    },
    async ({ fetch }) => {
      await fails(fetch('x:1'), 'SIZE_MISMATCH');
    },
  ));

test('changed bytes are DIGEST_MISMATCH', () =>
  scene(
    (request, response) => {
      if (!isBlob(request.url)) return false;
      const { end } = response;
      response.end = ((chunk: Buffer) => {
        const changed = Buffer.from(chunk);
        changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 1;
        return end.call(response, changed, 'utf8');
      }) as ServerResponse['end'];
      return false;
    },
    async ({ fetch, paths }) => {
      await fails(fetch('x:1'), 'DIGEST_MISMATCH');
      assert.equal(listImages(paths), []);
    },
  ));

test('a manifest that does not have the digest asked for is refused', () =>
  scene(
    (request, response) => {
      if (request.url?.includes(`manifests/sha256:${'b'.repeat(64)}`) !== true) return false;
      response.end('{}');
      return true;
    },
    async ({ fetch }) => {
      await fails(fetch(`x@sha256:${'b'.repeat(64)}`), 'DIGEST_MISMATCH');
    },
  ));

test('a manifest over 4 MiB is refused, announced or not', async () => {
  for (const announced of [true, false]) {
    await scene(
      (request, response) => {
        if (!request.url?.includes('/manifests/')) return false;
        response.writeHead(200, announced ? { 'content-length': 50 << 20 } : {});
        response.write(Buffer.alloc(8 << 20));
        return true;
      },
      async ({ fetch }) => {
        await fails(fetch('x:1'), 'MANIFEST_TOO_LARGE');
      },
    );
  }
});

for (const [status, code, attempts] of [
  [401, 'REGISTRY_UNAUTHORIZED', 1],
  [403, 'REGISTRY_DENIED', 1],
  [418, 'REGISTRY_FAILED', 1],
  [429, 'REGISTRY_RATE_LIMITED', 5],
  [503, 'REGISTRY_UNREACHABLE', 5],
] as const) {
  test(`${status} is ${code} after ${attempts} of 5 attempts`, () =>
    scene(
      (request, response) => request.url?.includes('/manifests/') === true && refuse(response, status),
      async ({ fetch, registry }) => {
        const { why } = await fails(fetch('x:1'), code);
        assert.is(why, `DENIED: status ${status}`);
        assert.is(registry.log.filter((line) => line.includes('/manifests/')).length, attempts);
      },
    ));
}

test('429 and 503 that pass are waited for, as long as the registry asks', () =>
  scene(
    (request, response, count) => {
      if (!request.url?.includes('/manifests/') || count > 2) return false;
      return count === 1 ? refuse(response, 429, { 'retry-after': '7' }) : refuse(response, 503);
    },
    async ({ fetch, pauses }) => {
      await fetch('x:1');
      assert.is(pauses[0], 7000);
      assert.ok((pauses[1] ?? 0) >= 400 && (pauses[1] ?? 0) <= 600);
    },
  ));

test('a break of an hour is reported instead of waited for', () =>
  scene(
    (request, response) => request.url?.includes('/manifests/') === true && refuse(response, 429, { 'retry-after': '3600' }),
    async ({ fetch, pauses }) => {
      const { why } = await fails(fetch('x:1'), 'REGISTRY_RATE_LIMITED');
      assert.match(why ?? '', /3600/);
      assert.equal(pauses, []);
    },
  ));

test('a missing tag lists the tags; a missing repository does not', () =>
  scene(never, async ({ fetch }) => {
    const { why } = await fails(fetch('x:2'), 'TAG_NOT_FOUND');
    assert.match(why ?? '', /it has 1$/);
    await fails(fetch('nope:1'), 'IMAGE_NOT_FOUND');
    await fails(fetch(`x@sha256:${'c'.repeat(64)}`), 'IMAGE_NOT_FOUND');
  }));

test('nothing that listens is REGISTRY_UNREACHABLE at once', () =>
  scene(never, async ({ paths, pauses }) => {
    const error = await fails(
      pull(parseReference('127.0.0.1:1/x'), { paths, pause: async () => void pauses.push(1) }),
      'REGISTRY_UNREACHABLE',
    );
    assert.match(error.why ?? '', /ECONNREFUSED/);
    assert.equal(pauses, []);
  }));

test('where nothing answers it is said that the store has no such image', () =>
  scene(never, async ({ paths }) => {
    const find = (policy: 'missing' | 'always') => resolveImage(parseReference('127.0.0.1:1/x'), { paths, pull: policy });
    const error = await fails(find('missing'), 'REGISTRY_UNREACHABLE');
    assert.match(error.message, /^image "127\.0\.0\.1:1\/x:latest" is not in the store/);
    assert.match(error.why ?? '', /cannot reach registry "127\.0\.0\.1:1": .*ECONNREFUSED/);
    assert.match((await fails(find('always'), 'REGISTRY_UNREACHABLE')).message, /^cannot reach registry/);
  }));

test('a silent server is given up', () =>
  scene(
    (request) => request.url?.includes('/manifests/') === true,
    async ({ paths, registry }) => {
      const error = await fails(
        pull(parseReference(`${registry.host}/x:1`), { paths, idle: 30, tlsVerify: false, pause: () => Promise.resolve() }),
        'REGISTRY_UNREACHABLE',
      );
      assert.match(error.why ?? '', /no byte/);
    },
  ));

test('a platform is chosen from an index, through a nested one', () =>
  scene(never, async ({ registry, fetch, paths }) => {
    const own = { ...registry.image('y', 'a', [layer]), platform: amd64 };
    const other = {
      ...registry.image('y', 'b', [Buffer.alloc(2048)], { os: 'linux', architecture: 's390x' }),
      platform: { os: 'linux', architecture: 's390x' },
    };
    const inner = registry.tag('y', 'inner', { schemaVersion: 2, manifests: [other, own] });
    const outer = registry.tag('y', 'outer', { schemaVersion: 2, manifests: [inner] });
    await fetch('y:outer');
    const [image] = listImages(paths);
    assert.equal([image?.manifest.digest, image?.source, image?.manifest.platform], [own.digest, outer.digest, amd64]);
    await fetch(`y@${outer.digest}`);
    const reference = parseReference(`${registry.host}/y@${outer.digest}`);
    const resolved = await resolveImage(reference, { paths, pull: 'never' });
    assert.is(resolved.kind === 'layers' && resolved.id, image?.id);
  }));

test('a platform that is not there names those that are', () =>
  scene(never, async ({ registry, fetch }) => {
    const platform = { os: 'linux', architecture: 's390x' };
    const other = { ...registry.image('z', 'b', [layer], platform), platform };
    registry.tag('z', '1', { schemaVersion: 2, manifests: [other] });
    const { why } = await fails(fetch('z:1'), 'PLATFORM_NOT_FOUND');
    assert.match(why ?? '', /linux\/s390x/);
    await fails(fetch('z:b'), 'PLATFORM_NOT_FOUND');
  }));

test('an index that lists itself is refused', () =>
  scene(
    (request, response) => {
      if (!request.url?.includes('/v2/loop/manifests/')) return false;
      response.end(JSON.stringify({ schemaVersion: 2, manifests: [] }));
      return true;
    },
    async ({ fetch }) => {
      await fails(fetch('loop:1'), 'PLATFORM_NOT_FOUND');
    },
  ));

test('an image whose layers and diffIDs differ in number is refused', () =>
  scene(never, async ({ registry, fetch }) => {
    const config = registry.put(
      JSON.stringify({ ...amd64, rootfs: { type: 'layers', diff_ids: [] } }),
      'application/vnd.oci.image.config.v1+json',
    );
    const stored = registry.put('x', 'application/vnd.oci.image.layer.v1.tar');
    registry.tag('odd', '1', { schemaVersion: 2, config, layers: [stored] });
    await fails(fetch('odd:1'), 'CONFIG_INVALID');
  }));

test('schema 1 is refused by its name', () =>
  scene(never, async ({ registry, fetch }) => {
    registry.tag('old', '1', { schemaVersion: 1, name: 'old', fsLayers: [], signatures: [] });
    await fails(fetch('old:1'), 'SCHEMA1_UNSUPPORTED');
  }));

/** Writes a credentials file that knows one registry. */
function knows(folder: string, registry: string, entry: object): void {
  mkdirSync(join(folder, 'containers'), { recursive: true });
  writeFileSync(join(folder, 'containers/auth.json'), JSON.stringify({ auths: { [registry]: entry } }));
}

/** A bearer challenge for everything but the token server, which is on the same host. */
function guarded(token: string, ask: (authorization: string | undefined, body: string) => boolean): Fault {
  return (request, response) => {
    const { host, authorization } = request.headers;
    if (request.url?.startsWith('/token') === true) {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        if (ask(authorization, `${request.url} ${body}`)) response.end(JSON.stringify({ token }));
        else refuse(response, 401);
      });
      return true;
    }
    if (authorization === `Bearer ${token}`) return false;
    return refuse(response, 401, { 'www-authenticate': `Bearer realm="http://${host}/token",service="here",scope="repository:x:pull"` });
  };
}

test('a bearer token is fetched for strangers, and one serves for everything', () =>
  scene(
    guarded('t0ken', (authorization) => authorization === undefined),
    async ({ fetch, registry }) => {
      await fetch('x:1');
      const asked = registry.log.filter((line) => line.includes('/token'));
      assert.equal(asked, ['GET /token?service=here&scope=repository%3Ax%3Apull']);
    },
  ));

for (const [what, file, expected] of [
  ['a password', { auth: Buffer.from('ana:s3cret').toString('base64') }, /^Basic YW5hOnMzY3JldA== \/token\?.*account=ana/],
  [
    'an identity token',
    { auth: Buffer.from('<token>:').toString('base64'), identitytoken: 'refr3sh' },
    /^undefined \/token.*grant_type=refresh_token.*refresh_token=refr3sh/,
  ],
] as const) {
  test(`${what} from the credentials file is shown to the token server alone`, () => {
    let seen = '';
    const fault = guarded('t0ken', (authorization, body) => {
      seen = `${authorization} ${body}`;
      return true;
    });
    return scene(fault, async ({ fetch, registry, folder }) => {
      knows(folder, registry.host, file);
      await fetch('x:1');
      assert.match(seen, expected);
      assert.not.ok(registry.log.some((line) => !line.includes('/token') && line.includes('Basic')));
    });
  });
}

test('a refused login does not tell the password', () =>
  scene(
    guarded('t0ken', () => false),
    async ({ fetch, registry, folder }) => {
      knows(folder, registry.host, { auth: Buffer.from('ana:s3cret').toString('base64') });
      const error = await fails(fetch('x:1'), 'REGISTRY_UNAUTHORIZED');
      assert.match(error.why ?? '', /to the credentials/);
      assert.not.match(inspect(error, { depth: 9, showHidden: true }), /s3cret|YW5h/);
    },
  ));

test('a damaged credentials file is named, but not quoted', () =>
  scene(
    guarded('t0ken', () => true),
    async ({ fetch, folder }) => {
      mkdirSync(join(folder, 'containers'));
      writeFileSync(join(folder, 'containers/auth.json'), '{"auths": s3cret');
      const error = await fails(fetch('x:1'), 'AUTH_FILE_INVALID');
      assert.not.match(inspect(error, { depth: 9, showHidden: true }), /s3cret/);
    },
  ));

test('basic authentication is answered from the credentials file', () => {
  const wanted = `Basic ${Buffer.from('ana:s3cret').toString('base64')}`;
  const fault: Fault = (request, response) =>
    request.headers.authorization !== wanted && refuse(response, 401, { 'www-authenticate': 'Basic realm="r"' });
  return scene(fault, async ({ fetch, registry, folder }) => {
    await fails(fetch('x:1'), 'REGISTRY_UNAUTHORIZED');
    knows(folder, `http://${registry.host}/v2/`, { auth: Buffer.from('ana:s3cret').toString('base64') });
    await fetch('x:1');
  });
});

test('an authorization is not carried to where a blob is redirected', () =>
  scene(never, async ({ registry: storage, paths }) => {
    const fault: Fault = (request, response) => {
      if (request.headers.authorization === undefined) return refuse(response, 401, { 'www-authenticate': 'Basic realm="r"' });
      response.writeHead(307, { location: `http://${storage.host}${request.url}` });
      response.end();
      return true;
    };
    await scene(fault, async ({ fetch, registry, folder }) => {
      knows(folder, registry.host, { auth: Buffer.from('ana:s3cret').toString('base64') });
      await fetch('x:1');
      assert.ok(storage.log.length >= 3);
      assert.not.ok(storage.log.some((line) => line.includes('Basic')));
    });
    assert.equal(listImages(paths), []);
  }));

test('redirects that go round are refused', () =>
  scene(
    (request, response) => {
      if (!isBlob(request.url)) return false;
      response.writeHead(307, { location: request.url ?? '' });
      response.end();
      return true;
    },
    async ({ fetch }) => {
      await fails(fetch('x:1'), 'REGISTRY_REDIRECT');
    },
  ));

test('an abort while a layer arrives leaves nothing', () => {
  const stop = new AbortController();
  return scene(
    (request, response) => {
      if (!isBlob(request.url)) return false;
      response.writeHead(200);
      response.write(Buffer.alloc(10), () => stop.abort());
      return true;
    },
    async ({ fetch, paths }) => {
      const error: unknown = await fetch('x:1', stop.signal).catch((cause: unknown) => cause);
      assert.is((error as Error).name, 'AbortError');
      assert.equal(listImages(paths), []);
    },
  );
});

test('many pulls at once into one store lose no name', () =>
  scene(never, async ({ registry, fetch, paths }) => {
    const names = Array.from({ length: 12 }, (_, index) => `many:${index}`);
    for (const name of names) registry.image('many', name.slice(5), [layer, Buffer.from(name)]);
    await Promise.all(names.map((name) => fetch(name)));
    assert.is(listImages(paths).length, names.length);
  }));

test.run();
