// `npm test`: all set-up, then every check there is. `node scripts/test.mjs [rust|lint|unit|contract|live|vm]… [WORD…]` runs a part:
// words that are not stages pick test files by name; `--as-built` takes dist/ as it is. Uses Node's own modules until set-up has run.
import { testPackages } from './packages.mjs';
import { setUp, setUpNpm } from './setup.mjs';
import { Tally } from './test/tally.mjs';

const stages = ['rust', 'lint', 'unit', 'contract', 'live', 'vm'];
const asBuilt = process.argv.includes('--as-built');
const asked = process.argv.slice(2).filter((word) => word !== '--as-built');
const words = asked.filter((word) => !stages.includes(word));
const picked = asked.filter((word) => stages.includes(word));
const wanted = new Set(picked.length > 0 ? picked : words.length > 0 ? ['unit', 'contract', 'live'] : stages);
/** Seconds for the guest, and for everything: `.ci/run` has an hour. */
const vmLimit = 20 * 60;
const wholeLimit = 52 * 60;

const tally = new Tally();
try {
  if (asBuilt) console.log('taking dist/ as it is');
  else if (['contract', 'live', 'vm'].some((stage) => wanted.has(stage))) setUp(testPackages);
  else setUpNpm();
  if (wanted.has('rust')) (await import('./test/rust.mjs')).testRust(tally);
  if (wanted.has('lint')) (await import('./test/lint.mjs')).lint(tally);
  const files = await import('./test/files.mjs');
  const bundles = await files.bundleTests(
    ['unit', 'contract', 'live'].filter((stage) => wanted.has(stage)),
    words,
  );
  if (wanted.has('unit'))
    await files.runFiles(
      tally,
      bundles.filter((file) => file.stage === 'unit'),
      { seconds: 240 },
    );
  if (wanted.has('contract'))
    await files.runFiles(
      tally,
      bundles.filter((file) => file.stage === 'contract'),
      { seconds: 300 },
    );
  if (wanted.has('live')) {
    const { runLive } = await import('./test/live.mjs');
    await runLive(
      tally,
      bundles.filter((file) => file.stage === 'live'),
    );
  }
  if (wanted.has('vm')) await (await import('./vm/vm.mjs')).testVm(tally, words, { ci: true, seconds: vmSeconds() });
} catch (error) {
  tally.fail('the test runner', error instanceof Error ? (error.stack ?? error.message) : String(error));
}
tally.finish();

/** The guest is the last, and what it has no time for is skipped by name. */
function vmSeconds() {
  return Math.min(vmLimit, wholeLimit - performance.now() / 1000);
}
