/** The store when things go wrong: processes killed at any instant, a full disk, blobs and layers damaged by hand, a second store. */

import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { bin } from '../support/checkout.ts';
import { data, environment, finished, type Options, rootless, start } from '../support/cli.ts';
import { busyboxRootfs, ociLayout, tarOf } from '../support/images.ts';
import { live } from '../support/live.ts';
import { type Served, withRegistryDouble } from '../support/registry-double.ts';
import { tarBytes } from '../support/tar.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;
const platform = { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' };

async function ok(args: readonly string[], options?: Options): Promise<string> {
  const output = await rootless(args, options);
  assert.is(output.code, 0, `${args.join(' ')}: ${output.stderr}${output.stdout}`);
  return output.stdout;
}

/** Busybox and some noise above it, as tars. */
async function withLayers(body: (layers: readonly Buffer[], folder: string) => Promise<void>): Promise<void> {
  await withTmp(async (folder) => {
    const noise = tarBytes(Array.from({ length: 40 }, (_, at) => ({ name: `noise/${at}`, data: Buffer.alloc(40_000, `${at}`) })));
    await body([tarOf(busyboxRootfs(join(folder, 'rootfs'))), noise, tarBytes([{ name: 'text', data: 'whole' }])], folder);
  });
}

async function withServed(layers: readonly Buffer[], body: (registry: Served, reference: string) => Promise<void>): Promise<void> {
  await withRegistryDouble(
    () => undefined,
    async (registry) => {
      registry.image('team/x', 'one', layers, platform);
      await body(registry, `${registry.host}/team/x:one`);
    },
  );
}

/** Kills `rootless ARGS` with SIGKILL after so many milliseconds, unless it was faster. */
async function killed(args: readonly string[], after: number): Promise<void> {
  const child = start(args);
  const done = finished(child);
  child.stdin?.end();
  await Promise.race([sleep(after, undefined, { ref: false }), done]);
  child.kill('SIGKILL');
  await done;
}

live(
  'commands on images that are killed at any instant leave a store that is whole',
  needs,
  () =>
    withLayers((layers, folder) =>
      withServed(layers, async (_registry, reference) => {
        const layout = ociLayout(join(folder, 'layout'), layers.slice(1));
        const commands = [
          ['pull', '-q', reference],
          ['load', '-q', '-i', layout],
          ['tag', reference, 'other:1', 'more:1'],
          ['rmi', '-f', reference],
          ['pull', '-q', reference],
          ['rmi', '-f', 'latest'],
          ['image', 'prune', '-af'],
        ];
        const begun = performance.now();
        await ok(['pull', '-q', reference]);
        const usual = performance.now() - begun;
        for (let round = 0; round < 42; round += 1) {
          await killed(commands[round % commands.length] ?? [], Math.random() * usual * 1.1);
          if (round % 7 === 6) assert.not.match(await ok(['system', 'check']), /[1-9]\d* broken|blob-missing|layer-missing/);
        }
        await ok(['system', 'check', '--repair']);
        await ok(['pull', '-q', reference]);
        assert.is(await ok(['run', '--rm', '--network', 'none', reference, 'cat', '/text']), 'whole');
        await ok(['rmi', '-af']);
        await ok(['image', 'prune', '-f']);
        assert.is(await ok(['system', 'check']), 'everything is whole\n');
        assert.equal(filesBelow('images/blobs'), []);
        assert.equal(filesBelow('images/locks'), []);
      }),
    ),
  { seconds: 400 },
);

function filesBelow(name: string): string[] {
  const folder = join(data, name);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => statSync(join(folder, path)).isFile());
}

live('check names what is lost or damaged, and repairs it from the registry', needs, () =>
  withLayers((layers) =>
    withServed(layers, async (_registry, reference) => {
      await ok(['pull', '-q', reference]);
      assert.is(await ok(['system', 'check']), 'everything is whole\n');
      const blobs = join(data, 'images/blobs/sha256');
      const [image] = JSON.parse(await ok(['image', 'inspect', reference])) as [{ Id: string; Manifest: { Layers: { digest: string }[] } }];
      const [damaged, lost] = image.Manifest.Layers.map(({ digest }) => join(blobs, digest.slice(7)));
      const bytes = readFileSync(damaged ?? '');
      bytes.writeUInt8((bytes.at(-9) ?? 0) ^ 1, bytes.length - 9);
      writeFileSync(damaged ?? '', bytes);
      rmSync(lost ?? '');
      const [map = ''] = readdirSync(join(data, 'layers'));
      const [layer = ''] = readdirSync(join(data, 'layers', map)).filter((name) => existsSync(join(data, 'layers', map, name, 'text')));
      rmSync(join(data, 'layers', map, layer, 'text'));
      writeFileSync(join(blobs, 'x.tmp-4194305-1-1'), '');
      writeFileSync(join(data, 'images/lock'), '{"owner":"4194305-1","boot":"x"}');
      const found = await rootless(['system', 'check', '--format', '{{.Kind}}']);
      assert.is(found.code, 1);
      assert.equal(found.stdout.trim().split('\n').sort(), [
        'blob-damaged',
        'blob-missing',
        'layer-incomplete',
        'stale-lock',
        'temporary-file',
      ]);
      assert.match(
        (await rootless(['system', 'check', '--quick'])).stdout,
        /^blob-missing: .*\ntemporary-file: .*\nstale-lock: .*\n1 broken/,
      );
      assert.match(await ok(['system', 'check', '--repair']), /3 broken, 2 left over: repaired/);
      assert.is(await ok(['system', 'check']), 'everything is whole\n');
      assert.is(await ok(['run', '--rm', '--network', 'none', reference, 'cat', '/text']), 'whole');
      await ok(['rmi', '-af']);
    }),
  ),
);

live('an index that is damaged is made anew: of what can be read in it, and of the images themselves', needs, () =>
  withLayers(async (layers, folder) => {
    await ok(['load', '-q', '-i', ociLayout(join(folder, 'layout'), layers)]);
    await ok(['tag', 'latest', 'localhost:1/x:1']);
    const id = (await ok(['images', '-q', '--no-trunc', 'localhost:1/x'])).trim();
    const index = join(data, 'images/index.json');
    const text = readFileSync(index, 'utf8');
    const broken = text.replace('docker.io/library/latest', '\0\0').slice(0, -1);
    for (const [damaged, names] of [
      [broken, ['localhost:1/x']],
      ['', ['<none>']],
    ] as const) {
      writeFileSync(index, damaged);
      assert.match((await rootless(['images'])).stderr, /fix: rootless system check --repair/);
      const look = await rootless(['system', 'check', '--quick']);
      assert.is(look.code, 1);
      assert.match(look.stdout, /^index-damaged: .*index\.json: /);
      assert.match(await ok(['system', 'check', '--repair']), /^repaired: index-damaged: [\s\S]*repaired\n$/);
      assert.is(readFileSync(`${index}.damaged`, 'utf8'), damaged);
      assert.equal((await ok(['images', '--format', '{{.Repository}}'])).trim().split('\n'), names);
      assert.is((await ok(['images', '-aq', '--no-trunc'])).trim(), id);
      assert.is(await ok(['run', '--rm', '--network', 'none', id.slice(7), 'cat', '/text']), 'whole');
      assert.is(await ok(['system', 'check']), 'everything is whole\n');
    }
    rmSync(`${index}.damaged`);
    await ok(['rmi', '-af']);
  }),
);

live('what nobody can give back is named, and check fails', needs, () =>
  withLayers(async (layers, folder) => {
    await ok(['load', '-q', '-i', ociLayout(join(folder, 'layout'), layers)]);
    await ok(['tag', 'latest', 'localhost:1/x:1']);
    await ok(['rmi', 'latest']);
    const [image] = JSON.parse(await ok(['image', 'inspect', 'localhost:1/x:1'])) as [{ Manifest: { Layers: { digest: string }[] } }];
    const [layer = { digest: '' }] = image.Manifest.Layers;
    appendFileSync(join(data, 'images/blobs/sha256', layer.digest.slice(7)), 'x');
    const output = await rootless(['system', 'check', '--repair']);
    assert.is(output.code, 1);
    assert.match(output.stdout, /^cannot repair: blob-damaged: sha256:\w{64}: .*localhost:1/m);
    await ok(['rmi', '-af']);
  }),
);

/** Runs a shell script as root of a namespace of its own, where $SMALL is a tmpfs of this size. */
async function withSmallDisk(
  size: string,
  script: string,
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly text: string }> {
  const small = join(dirname(dirname(data)), 'small');
  mkdirSync(small, { recursive: true });
  const mount = `mount -t tmpfs -o size=${size},mode=700 tmpfs ${small}`;
  const child = spawn('unshare', ['-U', '-r', '-m', 'sh', '-c', `${mount} && ${script}`, 'sh', process.execPath, bin, ...args], {
    env: { ...environment, ROOTLESS_DATA: join(small, 'data') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { code, stdout, stderr } = await finished(child);
  return { code, text: stdout + stderr };
}

live('a full disk is said, and leaves a store that is whole', needs, () =>
  withLayers((layers) =>
    withServed(layers, async (_registry, reference) => {
      const script =
        'node=$1; bin=$2; shift 2; "$node" "$bin" --debug "$@"; echo "exit $?"; "$node" "$bin" images -q; "$node" "$bin" system check --quick; echo "check $?"';
      for (const args of [
        ['pull', '-q', reference],
        ['run', '--rm', '--network', 'none', reference, 'true'],
      ]) {
        const { text } = await withSmallDisk('1500k', script, args);
        assert.match(text, /DISK_FULL/);
        assert.match(text, /exit 125/);
        assert.match(text, /check 0/);
        assert.not.match(text, /^[0-9a-f]{12}$/m);
      }
      const { text } = await withSmallDisk('40m', script, ['pull', '-q', reference]);
      assert.match(text, /exit 0\n[0-9a-f]{12}\neverything is whole\ncheck 0/);
    }),
  ),
);

live('an archive that is saved to a full disk is not there afterwards', needs, () =>
  withLayers(async (layers, folder) => {
    const layout = ociLayout(join(folder, 'layout'), layers);
    const script =
      'node=$1; bin=$2; shift 2; cd "$ROOTLESS_DATA/.."; "$node" "$bin" load -q -i "$1" && { "$node" "$bin" --debug save -q -o out.tar latest; echo "exit $?"; ls; }';
    const { text } = await withSmallDisk('2200k', script, [layout]);
    assert.match(text, /DISK_FULL/);
    assert.match(text, /exit 125\ndata\n/, text);
    assert.not.match(text, /out\.tar\.tmp/);
  }),
);

live('images and unpacked layers of a second store are used, and it is not changed', needs, () =>
  withLayers(async (layers, folder) => {
    await ok(['load', '-q', '-i', ociLayout(join(folder, 'layout'), layers)]);
    await ok(['tag', 'latest', 'shared:1']);
    assert.is(await ok(['run', '--rm', '--network', 'none', 'shared:1', 'cat', '/text']), 'whole');
    const census = () =>
      readdirSync(join(data, 'images'), { recursive: true, encoding: 'utf8' })
        .map((name) => `${name} ${statSync(join(data, 'images', name)).mtimeMs}`)
        .sort();
    const before = census();
    const env = { ROOTLESS_DATA: join(folder, 'second'), ROOTLESS_ADDITIONAL_STORES: dirname(data) };
    assert.match(await ok(['images'], { env }), /^shared +1 /m);
    assert.is(await ok(['run', '--rm', '--network', 'none', '--pull', 'never', 'shared:1', 'cat', '/text'], { env }), 'whole');
    assert.not.ok(existsSync(join(folder, 'second/store/layers')), 'nothing was unpacked again');
    assert.match((await rootless(['--debug', 'rmi', 'shared:1'], { env })).stderr, /IMAGE_READ_ONLY/);
    await ok(['tag', 'shared:1', 'mine:1'], { env });
    await ok(['save', '-q', '-o', join(folder, 'mine.tar'), 'mine:1'], { env });
    assert.is(await ok(['system', 'check'], { env }), 'everything is whole\n');
    await ok(['rmi', 'mine:1'], { env });
    assert.equal(census(), before);
    await ok(['rmi', '-af']);
  }),
);

live.run();
