// A suite in the lab's guest (docs/lab.md): systemd, cgroup v2 alone, and controllers, which machines that build software lack.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { runJob } from '../vm/agent.mjs';
import { withGuest } from '../vm/guest.mjs';
import { unpack } from '../vm/suite.mjs';

const limit = 3600;
/** What is needed of each checkout. */
const wanted = { runc: ['tests/integration', 'tests/cmd/_bin'], crun: ['tests'] };
/** What the guest has not: programs of this machine, with what they are linked to and read. */
const tools = ['usr/bin/bats', 'usr/lib/bats-core', 'usr/libexec/bats-core', 'usr/bin/jq'];

/** Runtimes whose path begins with `guest:` are the guest's own; each result is written as soon as it is there. */
export async function runInGuest({ name, checkout, results, runtimes, parts, as, systemd }) {
  const there = new Map(
    runtimes.map(([runtime, path]) => [runtime, /^guest:(.*)/.exec(path)?.[1] ?? `/lab/suite/${runtime}/${basename(path)}`]),
  );
  const prepare = (folder) => pack(folder, name, checkout, runtimes);
  const names = [...there.keys()];
  // The runtimes at the same time: emulation leaves a processor idle that waits.
  const lines = parts.flatMap((part) => [
    ...names.map((runtime) => `{ ${one({ name, runtime, path: there.get(runtime), part, as, systemd })}; } &`),
    'wait',
    ...names.map((runtime) => tell(name, runtime, part)),
  ]);
  let text = '';
  const output = (chunk) => {
    text += chunk.toString('latin1');
    for (let match = done.exec(text); match !== null; match = done.exec(text)) {
      const [all, runtime, part, seconds, tap] = match;
      text = text.slice(match.index + all.length);
      mkdirSync(join(results, name, runtime), { recursive: true });
      writeFileSync(join(results, name, runtime, `${part}.tap`), Buffer.from(tap, 'base64'));
      console.error(`${runtime} ${part}: ${seconds} s`);
    }
  };
  await withGuest({ warm: 'make', prepare }, (machine) => runJob(machine, [setUp, ...lines].join('\n'), { seconds: limit, output }));
  if (text.trim() !== '') console.error(text.trim());
}

const done = /^@@ (\S+) (\S+) (\d+) (\S*)\r?\n/m;

function one({ name, runtime, path, part, as, systemd }) {
  const command = `node scripts/conformance.mjs run ${name} /lab/suite/${name} /tmp/results ${runtime}=${path} -- ${part}`;
  const env = `ROOTLESS_TEST_USER=${as} ROOTLESS_TEST_SLOW=${process.env.ROOTLESS_TEST_SLOW ?? 4}${systemd ? ' CONFORMANCE_SYSTEMD=1' : ''}`;
  return `begun=$SECONDS; ${env} ${command} > /tmp/said-${runtime} 2>&1 || cat /tmp/said-${runtime}; echo $((SECONDS - begun)) > /tmp/took-${runtime}`;
}

function tell(name, runtime, part) {
  return `printf '@@ ${runtime} ${part} %s %s\\n' $(cat /tmp/took-${runtime}) "$(base64 -w 0 '/tmp/results/${name}/${runtime}/${part}.tap')"`;
}

/** All controllers from the top down; `go env GOARCH` is all that runc's suite asks of Go. */
const setUp = `${unpack}
cd /lab && cp -r suite/tools/* / && ldconfig
printf '#!/bin/sh\\necho amd64\\n' > /usr/bin/go && chmod 755 /usr/bin/go
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do echo +$controller > /sys/fs/cgroup/cgroup.subtree_control; done`;

function pack(folder, name, checkout, runtimes) {
  const image = join(folder, 'input.img');
  const own = join(folder, 'suite');
  mkdirSync(join(own, name), { recursive: true });
  for (const part of wanted[name]) cpSync(join(checkout, part), join(own, name, part), { recursive: true });
  for (const [runtime, path] of runtimes.filter(([, path]) => !path.startsWith('guest:'))) {
    cpSync(path, join(own, runtime, basename(path)));
  }
  const linked = spawnSync('ldd', ['/usr/bin/jq'], { encoding: 'utf8' }).stdout;
  const libraries = linked
    .split('\n')
    .map((line) => /=> \/(\S*lib(?:jq|onig)\S*)/.exec(line)?.[1])
    .filter((path) => path !== undefined);
  tar(['-C', join(import.meta.dirname, '../..'), '-cf', image, 'scripts', 'package.json']);
  tar(['-C', folder, '-rf', image, 'suite']);
  tar(['-C', '/', '-h', '--transform=s,^lib/,usr/lib/,;s,^,suite/tools/,', '-rf', image, ...tools, ...libraries]);
  rmSync(own, { recursive: true });
}

function tar(args) {
  const run = spawnSync('tar', ['--owner=1000', '--group=1000', ...args], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`tar: ${run.stderr || run.error}`);
}
