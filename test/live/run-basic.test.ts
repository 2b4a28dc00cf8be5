/** The main job: a program runs with the arguments, environment, user and folder that were asked for, and its exit code comes back. */

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { mode } from '../support/checkout.ts';
import { rootless } from '../support/cli.ts';
import { run, shell } from '../support/container.ts';
import { busyboxImage, busyboxRootfs, type ImageConfig, ociLayout, tarOf } from '../support/images.ts';
import { live } from '../support/live.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;

for (const [code, script] of [
  [0, 'true'],
  [1, 'exit 1'],
  [42, 'exit 42'],
  [255, 'exit 255'],
  [137, 'kill -KILL $$'],
  [143, 'trap - TERM; kill -TERM $$; sleep 5'],
] as const) {
  live(`the exit code of \`${script}\` is ${code}`, needs, async () => {
    const flags = script.includes('kill') ? ['--init'] : [];
    assert.is((await run(flags, ['sh', '-c', script])).code, code);
  });
}

live('a program that is not in the image is 127, and the error names it', needs, async () => {
  const { code, stderr, stdout } = await run([], ['no-such-program']);
  assert.is(code, 127);
  assert.match(stderr, /no-such-program/);
  assert.is(stdout, '');
});

live('a file that may not be executed is 126', needs, async () => {
  const { code, stderr } = await run([], ['/etc/passwd']);
  assert.is(code, 126);
  assert.match(stderr, /\/etc\/passwd/);
});

live('a folder as the program is 126', needs, async () => {
  assert.is((await run([], ['/etc'])).code, 126);
});

live('a script whose interpreter is missing is 127 and the error says that', needs, () =>
  withTmp(async (folder) => {
    const rootfs = busyboxRootfs(join(folder, 'rootfs'));
    writeFileSync(join(rootfs, 'bin/script'), '#!/opt/missing/python\n');
    chmodSync(join(rootfs, 'bin/script'), 0o755);
    const { code, stderr } = await rootless(['run', '--rm', '--network', 'none', `rootfs:${rootfs}`, '/bin/script']);
    assert.is(code, 127);
    assert.match(stderr, /interpreter/);
  }),
);

live('a program of another architecture is 126', needs, () =>
  withTmp(async (folder) => {
    const rootfs = busyboxRootfs(join(folder, 'rootfs'));
    const elf = readFileSync(join(rootfs, 'bin/busybox'));
    elf.writeUInt16LE(process.arch === 'arm64' ? 62 : 183, 18);
    writeFileSync(join(rootfs, 'bin/foreign'), elf, { mode: 0o755 });
    const { code, stderr } = await rootless(['run', '--rm', '--network', 'none', `rootfs:${rootfs}`, '/bin/foreign']);
    assert.is(code, 126);
    assert.match(stderr, /foreign/);
  }),
);

live('arguments arrive byte for byte', needs, async () => {
  const odd = ['', ' ', 'a b', '*', '$HOME', '"', "'", '-e', '--rm', '--', 'größe 東京 🙂', 'new\nline'];
  const { stdout, code } = await run([], ['sh', '-c', 'for a in "$@"; do printf "[%s]" "$a"; done', 'sh', ...odd]);
  assert.is(code, 0);
  assert.is(stdout, odd.map((word) => `[${word}]`).join(''));
});

live('flags after IMAGE belong to the container', needs, async () => {
  assert.is((await run([], ['echo', '--rm', '-e', 'A=1', '--help'])).stdout, '--rm -e A=1 --help\n');
});

live("the environment is the image's plus -e and --env-file, and nothing of the host", needs, () =>
  withTmp(async (folder) => {
    const file = join(folder, 'env');
    writeFileSync(file, '# a comment\nFROM_FILE=file value\nTWICE=file\n\nFROM_HOST\n');
    const flags = ['--env-file', file, '-e', 'GIVEN=a=b c', '-e', 'TWICE=flag', '-e', 'FROM_HOST', '-e', 'ABSENT_ON_HOST'];
    const text = await shell(flags, 'env', { env: { FROM_HOST: 'host value', SECRET_OF_HOST: 'x' } });
    const lines = text.split('\n');
    for (const line of ['FROM_FILE=file value', 'GIVEN=a=b c', 'TWICE=flag', 'FROM_HOST=host value', 'PATH=/bin:/usr/bin', 'HOME=/root']) {
      assert.ok(lines.includes(line), `${line} is missing in\n${text}`);
    }
    assert.not.match(text, /SECRET_OF_HOST|ABSENT_ON_HOST|ROOTLESS_/);
  }),
);

live('-w sets the working folder and makes it', needs, async () => {
  assert.is(await shell(['-w', '/etc'], 'pwd'), '/etc');
  assert.is(await shell(['-w', '/made/on/demand'], 'pwd && ls -d /made/on/demand'), '/made/on/demand\n/made/on/demand');
});

live('the host name is set, and its name is found in /etc/hosts', needs, async () => {
  assert.is(await shell(['--hostname', 'ship'], 'hostname; grep -c ship /etc/hosts'), 'ship\n1');
});

live('--add-host adds a line to /etc/hosts', needs, async () => {
  assert.match(await shell(['--add-host', 'db:10.1.2.3'], 'cat /etc/hosts'), /10\.1\.2\.3\s+db/);
});

live("--entrypoint replaces the image's, and an empty one clears it", needs, async () => {
  const image = ['--rm', '--network', 'none'];
  const flags = (entrypoint: string) => ['run', ...image, '--entrypoint', entrypoint, busyboxImage()];
  assert.is((await rootless([...flags('echo'), 'one', 'two'])).stdout, 'one two\n');
  assert.is((await rootless([...flags(''), 'echo', 'three'])).stdout, 'three\n');
});

const withConfig = (config: ImageConfig, body: (image: string) => Promise<void>) =>
  withTmp(async (folder) => {
    const rootfs = busyboxRootfs(join(folder, 'rootfs'));
    await body(`oci:${ociLayout(join(folder, 'layout'), [tarOf(rootfs)], config)}`);
  });

live('ENTRYPOINT, CMD, ENV and WORKDIR of the image are honoured', needs, () => {
  const config = {
    Entrypoint: ['sh', '-c', 'echo "$0 $1 $WORD $PWD"'],
    Cmd: ['cmd', 'one'],
    Env: ['PATH=/bin', 'WORD=image'],
    WorkingDir: '/var',
  };
  return withConfig(config, async (image) => {
    assert.is((await rootless(['run', '--rm', '--network', 'none', image])).stdout, 'cmd one image /var\n');
    assert.is((await rootless(['run', '--rm', '--network', 'none', image, 'mine', 'two'])).stdout, 'mine two image /var\n');
  });
});

live('an image without a command is refused with 125 and a reason', needs, () =>
  withConfig({ Env: ['PATH=/bin'] }, async (image) => {
    const { code, stderr } = await rootless(['run', '--rm', '--network', 'none', image]);
    assert.is(code, 125);
    assert.match(stderr, /command/);
  }),
);

if (mode !== 'single') {
  live('USER of the image is looked up inside the image', needs, () =>
    withConfig({ Cmd: ['id'], Env: ['PATH=/bin'], User: 'ana' }, async (image) => {
      const { stdout } = await rootless(['run', '--rm', '--network', 'none', image]);
      assert.match(stdout, /uid=1000\(ana\) gid=1000\(ana\)/);
    }),
  );

  for (const [user, expected] of [
    ['ana', /uid=1000\(ana\) gid=1000\(ana\) groups=.*29\(audio\)/],
    ['1000', /uid=1000\(ana\) gid=1000\(ana\)/],
    ['ana:video', /uid=1000\(ana\) gid=44\(video\)/],
    ['7:8', /uid=7 gid=8/],
    ['0', /uid=0\(root\) gid=0\(root\)/],
  ] as const) {
    live(`-u ${user} gives that user and group`, needs, async () => {
      assert.match(await shell(['-u', user], 'id'), expected);
    });
  }

  live('a user with a home gets it as HOME', needs, async () => {
    assert.is(await shell(['-u', 'ana'], 'echo $HOME'), '/home/ana');
  });

  live('--group-add adds supplementary groups', needs, async () => {
    assert.match(await shell(['--group-add', 'audio', '--group-add', '77'], 'id'), /29\(audio\).*77/);
  });
}

live('a user that is not in the image is refused with 125 and its name', needs, async () => {
  const { code, stderr } = await run(['-u', 'nosuchuser'], ['true']);
  assert.is(code, 125);
  assert.match(stderr, /nosuchuser/);
});

live('rootfs: runs a plain folder and never writes to it', needs, () =>
  withTmp(async (folder) => {
    const rootfs = busyboxRootfs(join(folder, 'rootfs'));
    const { code, stdout, stderr } = await rootless([
      'run',
      '--rm',
      '--network',
      'none',
      `rootfs:${rootfs}`,
      'sh',
      '-c',
      'echo x > /etc/new && cat /etc/new',
    ]);
    assert.is(code, 0, stderr);
    assert.is(stdout, 'x\n');
    assert.throws(() => readFileSync(join(rootfs, 'etc/new')), /ENOENT/);
  }),
);

live('the embedded image says what it sees', ['userns', 'embedded'], async () => {
  const { code, stdout, stderr } = await rootless(['run', '--rm', '--network', 'none', 'embedded:hello']);
  assert.is(code, 0, stderr);
  assert.match(stdout, /hello from a container, [\d.]+ ms after Enter/);
  assert.match(stdout, /seccomp +filter/);
  assert.match(stdout, /network +lo\n/);
});

live('--cidfile gets the id of the container, and an existing one is refused', needs, () =>
  withTmp(async (folder) => {
    const file = join(folder, 'cid');
    assert.is((await run(['--cidfile', file], ['true'])).code, 0);
    assert.match(readFileSync(file, 'utf8'), /^[0-9a-f]{12,64}$/);
    assert.is((await run(['--cidfile', file], ['true'])).code, 125);
  }),
);

live('without --rm the container is listed, and rm removes it', needs, async () => {
  const name = 'kept-one';
  assert.is((await rootless(['run', '--network', 'none', '--name', name, busyboxImage(), 'sh', '-c', 'exit 3'])).code, 3);
  assert.match((await rootless(['ps', '-a'])).stdout, /kept-one/);
  const again = await rootless(['run', '--network', 'none', '--name', name, busyboxImage(), 'true']);
  assert.is(again.code, 125);
  assert.match(again.stderr, /kept-one/);
  assert.is((await rootless(['rm', name])).code, 0);
  assert.not.match((await rootless(['ps', '-a'])).stdout, /kept-one/);
});

live("--dry-run prints the bundle's config and runs nothing", needs, async () => {
  const { code, stdout } = await run(['--dry-run'], ['echo', 'ran']);
  assert.is(code, 0);
  const config = JSON.parse(stdout) as { process: { args: string[] } };
  assert.equal(config.process.args, ['echo', 'ran']);
});

for (const [name, compression] of [
  ['zstd', 'zstd'],
  ['uncompressed', 'none'],
] as const) {
  live(`an image with ${name} layers runs`, needs, () =>
    withTmp(async (folder) => {
      const rootfs = busyboxRootfs(join(folder, 'rootfs'));
      mkdirSync(join(rootfs, compression));
      const image = `oci:${ociLayout(join(folder, 'layout'), [tarOf(rootfs)], { Env: ['PATH=/bin'] }, compression)}`;
      const { code, stderr } = await rootless(['run', '--rm', '--network', 'none', image, 'ls', '-d', `/${compression}`]);
      assert.is(code, 0, stderr);
    }),
  );
}

live.run();
