// `npm run quickstart`: all set-up, then one container from the image embedded in the project.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { runPackages } from './packages.mjs';
import { setUp, top } from './setup.mjs';

setUp(runPackages, { optional: true });

const rootless = join(top, 'bin/rootless');
console.log('\n$ rootless run --rm --network none embedded:hello');
const { status } = spawnSync(process.execPath, [rootless, 'run', '--rm', '--network', 'none', 'embedded:hello'], {
  stdio: 'inherit',
});
if (status !== 0) {
  console.error('\nquickstart: the container did not run; the lines above say why, and docs/troubleshooting.md says more');
  process.exit(status ?? 1);
}
console.log(`
Three to try next (or put ${join(top, 'bin')} on your PATH):

  bin/rootless run --rm -it host: bash               a throwaway copy of this machine to play in
  bin/rootless run --rm -it docker.io/library/debian bash
  bin/rootless run --help`);
