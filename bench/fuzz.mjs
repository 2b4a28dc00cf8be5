// `npm run bench -- fuzz [--seconds N]`: random changes to archives, layers and documents, for a minute each; a failure tells its seed.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../helper-rs', import.meta.url));

/** @returns the exit code of cargo */
export function fuzz(args) {
  const at = args.indexOf('--seconds');
  const seconds = at === -1 ? '60' : (args[at + 1] ?? '60');
  const cargo = ['test', '--release', '-p', 'rootless-core', '-p', 'rootless-helper', '--', 'fuzz::', '--nocapture', '--test-threads', '1'];
  const run = spawnSync('cargo', cargo, { cwd: folder, env: { ...process.env, FUZZ_SECONDS: seconds }, stdio: 'inherit' });
  if (run.error !== undefined) console.error(`bench: cargo cannot be started: ${run.error.message}`);
  return run.status ?? 1;
}
