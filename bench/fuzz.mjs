// `npm run bench -- fuzz [--seconds N]`: random changes to archives, layers, documents and configurations, for a minute each; then the
// three builds of the validator side by side. A failure tells its seed and its document, which becomes a fixture of test/contract.
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
  return run.status || differences(seconds);
}

/** Native, wasm-pack and wasip1 on the same documents, as they are built. */
function differences(seconds) {
  const runner = fileURLToPath(new URL('../scripts/test.mjs', import.meta.url));
  const env = { ...process.env, FUZZ_SECONDS: seconds };
  return spawnSync(process.execPath, [runner, '--as-built', 'contract', 'mutated'], { env, stdio: 'inherit' }).status ?? 1;
}
