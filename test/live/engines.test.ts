/** podman and buildah with the helper as their runtime: what they parse, share, pause and build is as with crun, and nothing stays. */

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { helper } from '../support/checkout.ts';
import { eventually } from '../support/eventually.ts';
import { busyboxRootfs } from '../support/images.ts';
import { live } from '../support/live.ts';
import { slowness } from '../support/slow.ts';
import { withTmp } from '../support/tmp.ts';

const needs = ['userns', 'busybox'] as const;

type Result = { readonly code: number | null; readonly out: string; readonly err: string };
type Engines = {
  readonly folder: string;
  readonly podman: (...args: string[]) => Result;
  /** `podman run --rm --network none`, with these options before the image. */
  readonly run: (options: readonly string[], ...command: string[]) => Result;
  readonly buildah: (...args: string[]) => Result;
  /** Any program, with their store. */
  readonly call: (program: string, args: readonly string[]) => Result;
};

/** podman and buildah with a store of their own, in which `bb` is; afterwards the runtime may have nothing left. */
async function withEngines(use: (engines: Engines) => Promise<void> | void): Promise<void> {
  await withTmp(async (folder) => {
    // Short: sockets are below it.
    const session = mkdtempSync('/tmp/e-');
    const environment = { ...process.env, HOME: join(folder, 'home'), XDG_RUNTIME_DIR: session, ...configuration(folder) };
    const call = (program: string, args: readonly string[]): Result => {
      const done = spawnSync(program, args, { cwd: folder, encoding: 'utf8', env: environment, input: '', timeout: 60_000 * slowness });
      return { code: done.status, out: done.stdout, err: done.stderr };
    };
    const podman: Engines['podman'] = (...args) => call('podman', args);
    const run: Engines['run'] = (options, ...command) => podman('run', '--rm', '--network', 'none', ...options, 'bb', ...command);
    const buildah: Engines['buildah'] = (...args) => call('buildah', args);
    try {
      const archive = join(folder, 'bb.tar');
      assert.is(spawnSync('tar', ['-C', busyboxRootfs(join(folder, 'rootfs')), '-cf', archive, '.']).status, 0);
      good(podman('import', '-q', '--change', 'ENV PATH=/bin', '--change', 'CMD ["sleep","1000"]', archive, 'bb'));
      await use({ folder, podman, run, buildah, call });
      assert.equal(state(session), []);
    } finally {
      podman('rm', '--all', '--force', '--time', '0');
      good(podman('unshare', 'rm', '-rf', join(folder, 'store'), join(folder, 'tmp')));
      endPause(join(session, 'libpod/tmp/pause.pid'));
      rmSync(session, { recursive: true, force: true });
    }
  });
}

/** Files that both read, and where they are. */
function configuration(folder: string): Record<string, string> {
  const [engine, storage] = [join(folder, 'containers.conf'), join(folder, 'storage.conf')];
  for (const name of ['home', 'tmp']) mkdirSync(join(folder, name));
  writeFileSync(
    engine,
    `[engine]\nruntime = "helper"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\ninfra_image = "localhost/bb"\n` +
      `runtime_supports_json = ["helper", "rootless-helper"]\nruntime_supports_nocgroup = ["helper", "rootless-helper"]\n` +
      `[engine.runtimes]\nhelper = ["${helper}"]\n`,
  );
  writeFileSync(storage, `[storage]\ndriver = "vfs"\ngraphroot = "${folder}/store"\nrunroot = "${folder}/tmp"\n`);
  return { CONTAINERS_CONF: engine, CONTAINERS_STORAGE_CONF: storage };
}

/** What the runtime remembers of containers. */
function state(session: string): readonly string[] {
  const root = join(session, 'rootless-helper');
  return existsSync(root) ? readdirSync(root) : [];
}

/** podman keeps a process for its namespaces. */
function endPause(file: string): void {
  if (existsSync(file)) process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
}

function good(result: Result): string {
  assert.is(result.code, 0, result.err);
  return result.out;
}

live('podman reads 125, 126, 127 and the program’s own code out of what the runtime says', needs, () =>
  withEngines(({ run, podman }) => {
    for (const [code, says, options, ...command] of [
      [7, /^$/, [], 'sh', '-c', 'exit 7'],
      [137, /^$/, ['--pid', 'host'], 'sh', '-c', 'kill -9 $$'],
      [127, /executable file not found in \$PATH.*was not found/, [], 'no-such'],
      [127, /exec \/no\/such: no such file or directory.*was not found/, [], '/no/such'],
      [126, /permission denied/, [], '/etc/passwd'],
      [125, /no such file or directory/, ['-v', '/no/such:/x'], 'true'],
    ] as const) {
      const result = run(options, ...command);
      assert.match(result.err.toLowerCase(), new RegExp(says.source.toLowerCase(), 's'));
      assert.is(result.code, code, result.err);
    }
    good(podman('run', '-d', '--name', 'a', '--network', 'none', 'bb', 'sleep', '1000'));
    assert.is(podman('exec', 'a', 'sh', '-c', 'exit 9').code, 9);
    assert.is(podman('exec', 'a', 'no-such').code, 127);
    assert.is(podman('exec', 'a', '/etc/passwd').code, 126);
    assert.match(podman('exec', '-w', '/nowhere', 'a', 'pwd').err, /chdir.*no such file or directory/i);
    const frozen = podman('container', 'checkpoint', 'a');
    assert.is(frozen.code, 125);
    good(podman('rm', '-f', '-t', '0', 'a'));
  }),
);

live('a container of podman is logged, looked into, signalled, stopped, started again and removed', needs, () =>
  withEngines(async ({ podman }) => {
    const script = 'trap "echo told; exit 5" TERM; echo ready; while :; do sleep 0.1; done';
    good(podman('run', '-d', '--name', 'a', '--network', 'none', 'bb', 'sh', '-c', script));
    const ready = (times: number) =>
      eventually(() =>
        assert.is(
          good(podman('logs', 'a'))
            .split('\n')
            .filter((line) => line === 'ready').length,
          times,
        ),
      );
    await ready(1);
    assert.is(good(podman('exec', '-u', '1000', '-e', 'A=b', '-w', '/tmp', 'a', 'sh', '-c', 'id -u; echo $A; pwd')), '1000\nb\n/tmp\n');
    assert.match(good(podman('top', 'a', 'pid', 'args')), /^PID +COMMAND\n1 +sh -c trap/);
    assert.is(good(podman('inspect', '--format', '{{.State.Status}} {{.OCIRuntime}}', 'a')), 'running helper\n');
    good(podman('stop', '-t', '10', 'a'));
    assert.is(good(podman('inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', 'a')), 'exited 5\n');
    assert.match(good(podman('logs', 'a')), /^ready\ntold\n$/);
    good(podman('start', 'a'));
    await ready(2);
    good(podman('kill', '-s', 'KILL', 'a'));
    assert.is(good(podman('wait', 'a')), '137\n');
    good(podman('rm', 'a'));
    assert.is(good(podman('ps', '-aq')), '');
  }),
);

live('what podman’s options ask of a runtime is there', needs, () =>
  withEngines(({ run, folder }) => {
    const status = (name: string) => `grep ${name} /proc/self/status`;
    writeFileSync(join(folder, 'file'), 'inside');
    chmodSync(folder, 0o755);
    for (const [options, script, says] of [
      [
        ['--read-only', '--tmpfs', '/t:size=1m,mode=700', '--hostname', 'here', '--umask', '0077'],
        'touch /x; stat -c %a /t; grep " /t " /proc/mounts; hostname; umask',
        /^700\ntmpfs \/t tmpfs .*size=1024k.*\nhere\n0077\n$/,
      ],
      [
        ['--cap-drop', 'ALL', '--cap-add', 'CHOWN', '--security-opt', 'no-new-privileges', '--security-opt', 'seccomp=unconfined'],
        `${status('CapEff')}; ${status('NoNewPrivs')}; ${status('Seccomp:')}`,
        /0000000000000001\nNoNewPrivs:\t1\nSeccomp:\t0\n$/,
      ],
      [
        ['--ulimit', 'nofile=55:66', '--sysctl', 'kernel.msgmax=1000', '--cgroups=disabled', '--shm-size', '1m'],
        'ulimit -n; ulimit -Hn; cat /proc/sys/kernel/msgmax; grep -o "size=1024k" /proc/mounts',
        /^55\n66\n1000\nsize=1024k\n$/,
      ],
      [['--userns', 'keep-id:uid=5,gid=6'], 'id -u; id -g', /^5\n6\n$/],
      [
        ['--user', '1000:1000', '--group-add', '77', '-v', `${folder}/file:/f:ro`, '--security-opt', 'mask=/proc/meminfo'],
        'id; cat /f; wc -c < /proc/meminfo; echo x > /f',
        /^uid=1000.* gid=1000.*77.*\ninside0\n$/,
      ],
      [
        ['--privileged', '--mount', 'type=image,source=bb,destination=/i'],
        `ls /i/bin/busybox; ${status('Seccomp:')}`,
        /^\/i\/bin\/busybox\nSeccomp:\t0\n$/,
      ],
    ] as const) {
      const { out, err } = run(options, 'sh', '-c', script);
      assert.match(out, says, `${options.join(' ')}: ${out}${err}`);
    }
    const terminal = run(['--annotation', 'a=b', '-t'], 'sh', '-c', 'test -t 1 && echo terminal');
    assert.is(terminal.out.trim(), 'terminal', terminal.err);
  }),
);

live('podman’s daily verbs go through it: a terminal, health, copies, restarts, another container from one', needs, () =>
  withEngines(async ({ podman, folder, call }) => {
    const options = ['--name', 'a', '--network', 'none', '--health-cmd', 'test -e /ok', '--health-interval', 'disable'];
    good(podman('run', '-d', ...options, 'bb', 'sh', '-c', 'touch /ok; echo ready; exec sleep 1000'));
    await eventually(() => assert.is(good(podman('logs', 'a')), 'ready\n'));
    const terminal = call('script', ['-qec', "podman exec -it a sh -c 'test -t 0 && tty; exit 4'", '/dev/null']);
    assert.match(terminal.out, /\/dev\/pts\/0/);
    assert.is(terminal.code, 4);
    assert.is(podman('healthcheck', 'run', 'a').code, 0);
    good(podman('exec', '-d', 'a', 'rm', '/ok'));
    await eventually(() => assert.is(podman('healthcheck', 'run', 'a').code, 1));
    assert.match(good(podman('exec', '--privileged', 'a', 'grep', 'CapEff', '/proc/self/status')), /\t0*[1-9a-f][0-9a-f]{8,}$/m);
    good(podman('cp', 'a:/etc/passwd', join(folder, 'passwd')));
    assert.match(readFileSync(join(folder, 'passwd'), 'utf8'), /^root:/);
    good(podman('restart', '-t', '0', 'a'));
    good(podman('rename', 'a', 'b'));
    good(podman('container', 'clone', 'b', 'c'));
    good(podman('init', 'c'));
    assert.is(good(podman('inspect', '--format', '{{.State.Status}}', 'c')), 'initialized\n');
    good(podman('start', 'c'));
    for (const verb of ['checkpoint', 'restore']) assert.is(podman('container', verb, 'c').code, 125);
    // Whether it has a cgroup of its own is the machine's affair; what podman then says, and leaves, is the same as with crun.
    const limited = podman('update', '--memory', '64m', 'c');
    if (limited.code !== 0) assert.match(limited.err, /cgroup/);
    assert.is(good(podman('inspect', '--format', '{{.State.Status}}', 'b', 'c')), 'running\nrunning\n');
    good(podman('rm', '-f', '-t', '0', 'b', 'c'));
    assert.is(good(podman('ps', '-aq')), '');
  }),
);

live('a pod that kube play makes has a process of its own, and goes whole', needs, () =>
  withEngines(async ({ podman, folder }) => {
    const file = join(folder, 'pod.yaml');
    const command = '[sh, -c, "echo from kube; exec sleep 1000"]';
    const container = `{ name: one, image: localhost/bb:latest, command: ${command} }`;
    writeFileSync(file, `apiVersion: v1\nkind: Pod\nmetadata: { name: kube }\nspec:\n  hostNetwork: true\n  containers: [${container}]\n`);
    good(podman('play', 'kube', file));
    await eventually(() => assert.is(good(podman('logs', 'kube-one')), 'from kube\n'));
    assert.is(good(podman('pod', 'ps', '--format', '{{.Name}} {{.Status}} {{.NumberOfContainers}}')), 'kube Running 2\n');
    assert.is(good(podman('pod', 'top', 'kube', 'args')).match(/sleep 1000/g)?.length, 2);
    assert.match(good(podman('generate', 'kube', 'kube')), /name: kube\n/);
    good(podman('play', 'kube', '--down', file));
    assert.is(good(podman('ps', '-aq')), '');
  }),
);

live('containers of podman share namespaces, and a pod ends whole', needs, () =>
  withEngines(({ podman, run }) => {
    good(podman('run', '-d', '--name', 'a', '--hostname', 'shared', '--network', 'none', 'bb', 'sleep', '1000'));
    const shared = run(['--pid', 'container:a', '--ipc', 'container:a', '--uts', 'container:a'], 'sh', '-c', 'hostname; ps -o args');
    assert.match(good(shared), /^shared\n.*sleep 1000/s);
    good(podman('pod', 'create', '--name', 'p', '--infra=false'));
    good(podman('run', '-d', '--pod', 'p', '--name', 'b', '--network', 'none', 'bb', 'sleep', '1000'));
    good(podman('pod', 'stop', '-t', '0', 'p'));
    good(podman('pod', 'rm', '-f', 'p'));
    good(podman('rm', '-f', '-t', '0', 'a'));
    assert.is(good(podman('ps', '-aq')), '');
  }),
);

live('podman build and buildah run their programs with the helper, and fail as those do', needs, () =>
  withEngines(({ folder, podman, buildah }) => {
    const [good_, bad] = [join(folder, 'Good'), join(folder, 'Bad')];
    writeFileSync(good_, 'FROM localhost/bb\nRUN echo made > /made && id -u\nWORKDIR /w\nUSER 1000\nRUN id -u; pwd\n');
    writeFileSync(bad, 'FROM localhost/bb\nRUN exit 42\n');
    const build = ['--network', 'host', '--no-cache'];
    const made = podman('build', ...build, '-t', 'made', '-f', good_, folder);
    assert.match(good(made), /\n0\n.*\n1000\n\/w\n/s);
    assert.not.match(made.err, /warning/);
    assert.is(good(podman('run', '--rm', '--network', 'none', 'made', 'cat', '/made')), 'made\n');
    assert.is(podman('build', ...build, '-f', bad, folder).code, 42);
    const oci = ['--runtime', helper, '--isolation', 'oci', '--network', 'host'];
    good(buildah('bud', ...oci, '--no-cache', '-t', 'made2', '-f', good_, folder));
    const from = good(buildah('from', 'localhost/bb')).trim();
    const ran = buildah('run', ...oci, from, 'sh', '-c', 'echo ran; touch /ran; exit 6');
    assert.is(ran.code, 6, ran.err);
    assert.match(ran.out, /^ran\n$/);
    assert.is(buildah('run', ...oci, from, 'no-such').code, 1);
    good(buildah('copy', from, good_, '/copied'));
    good(buildah('commit', '-q', from, 'made3'));
    good(buildah('rm', from));
    assert.match(good(podman('run', '--rm', '--network', 'none', 'made3', 'ls', '/ran', '/copied')), /\/copied\n\/ran/);
  }),
);

live.run();
