// Runs the suite of another runtime against runtimes on this machine, and writes docs/conformance.md from what it says.
//
//   node scripts/conformance.mjs run SUITE CHECKOUT RESULTS NAME=PATH… [-- PART…]
//       as root; SUITE: runc, crun, runtime-tools or youki. The first two run as $ROOTLESS_TEST_USER. PART: a file or group of it, in place of all
//   node scripts/conformance.mjs guest [--root] [--systemd-cgroup] SUITE CHECKOUT RESULTS NAME=PATH… -- PART…
//       the same in the lab's guest, where there are controllers; SUITE: runc or crun; guest:PATH is a runtime of the guest's own
//   node scripts/conformance.mjs report RESULTS
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { report } from './conformance/report.mjs';
import { inLook } from './conformance/look.mjs';
import { suites } from './conformance/suites.mjs';

/** A file that hangs is given up after this. */
const patience = 120_000 * Number(process.env.ROOTLESS_TEST_SLOW ?? 1);

const [verb, ...rest] = process.argv.slice(2);
if (verb === 'run' && rest.length >= 4) run(...rest);
else if (verb === 'guest' && rest.includes('--')) {
  const { runInGuest } = await import('./conformance/guest.mjs');
  const flags = rest.filter((word) => ['--root', '--systemd-cgroup'].includes(word));
  const [name, checkout, results, ...runtimes] = rest.slice(flags.length, rest.indexOf('--'));
  await runInGuest({
    name,
    checkout,
    results,
    as: flags.includes('--root') ? 'root' : 'ana',
    systemd: flags.includes('--systemd-cgroup'),
    runtimes: runtimes.map((one) => one.split('=')),
    parts: rest.slice(rest.indexOf('--') + 1),
  });
} else if (verb === 'report' && rest.length === 1) {
  process.stdout.write(
    report(
      rest[0],
      Object.entries(suites).map(([name, { title }]) => ({ name, title })),
    ),
  );
} else {
  console.error('usage: conformance.mjs run|guest SUITE CHECKOUT RESULTS NAME=PATH… [-- PART…], or report RESULTS');
  process.exit(2);
}

function run(name, checkout, results, ...words) {
  const end = words.indexOf('--');
  const [runtimes, only] = end < 0 ? [words, []] : [words.slice(0, end), words.slice(end + 1)];
  const { parts, command, systemd } = suites[name];
  const top = resolve(checkout);
  const input = endless();
  for (const [runtime, path] of runtimes.map((one) => one.split('='))) {
    const to = join(results, name, runtime);
    mkdirSync(to, { recursive: true });
    for (const part of only.length > 0 ? only : parts(top).sort()) {
      const options = { encoding: 'utf8', timeout: patience, maxBuffer: 1 << 28, stdio: [input, 'pipe', 'ignore'] };
      const { stdout } = spawnSync(
        ...inLook(command(part, resolve(path), top), process.env.CONFORMANCE_SYSTEMD === undefined ? undefined : systemd),
        options,
      );
      writeFileSync(join(to, `${part}.tap`), stdout ?? '');
      console.error(`${runtime} ${part}`);
    }
  }
}

/** A pipe that nobody writes to: at the end of its input `script` would type one into the terminal. */
function endless() {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-'));
  const pipe = join(folder, 'input');
  spawnSync('mkfifo', [pipe]);
  const fd = openSync(pipe, 'r+');
  rmSync(folder, { recursive: true });
  return fd;
}
