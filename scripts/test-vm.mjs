// `npm run test:vm [-- WORD… | all | run COMMAND]`: the built product in a machine of its own, with systemd and cgroup v2 (docs/lab.md).
import { testPackages } from './packages.mjs';
import { setUp } from './setup.mjs';
import { Tally } from './test/tally.mjs';

const asBuilt = process.argv.includes('--as-built');
const asked = process.argv.slice(2).filter((word) => word !== '--as-built');

if (!asBuilt) setUp(testPackages, { optional: true });
const vm = await import('./vm/vm.mjs');
if (asked[0] === 'run') process.exitCode = await vm.runCommand(asked.slice(1));
else {
  const tally = new Tally();
  await vm.testVm(tally, asked);
  tally.finish();
}
