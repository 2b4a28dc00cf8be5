/** A test that starts real containers: says what it needs, has a time limit, and may not skip where it could have run. */

import { test } from 'uvu';
import { type Need, unmet } from './needs.ts';
import { slowness } from './slow.ts';

type Options = {
  /** Limit for this test; the file has its own. Default 120. */
  readonly seconds?: number;
};

/**
 * Registers a test. Unmet needs skip it with a reason, and fail it when the runner found user namespaces
 * (`ROOTLESS_TEST_NO_SKIP`): then the machine can run it, so a skip would hide something.
 */
export function live(name: string, needs: readonly Need[], body: () => Promise<void> | void, options: Options = {}): void {
  const { skip } = test;
  const reason = unmet(needs);
  if (reason === undefined) {
    test(name, () => limited(name, body, (options.seconds ?? 120) * slowness));
  } else if (process.env['ROOTLESS_TEST_NO_SKIP'] === '1') {
    test(name, () => Promise.reject(new Error(`cannot run: ${reason}`)));
  } else {
    console.log(`skip: ${name}: ${reason}`);
    skip(name);
  }
}

live.run = (): void => test.run();

/** Seconds after its limit until a test is given up that the runner could not end. */
const grace = 15;

/** The runner reads when a test begins: past its limit it shows and kills the test's processes (scripts/test/watch.mjs), so that the test fails. */
async function limited(name: string, body: () => Promise<void> | void, seconds: number): Promise<void> {
  const begun = performance.now();
  console.log(`@begin ${Math.ceil(seconds)} ${name}`);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`still running after ${seconds + grace} s`)), (seconds + grace) * 1000);
  });
  try {
    await Promise.race([body(), late]);
  } finally {
    clearTimeout(timer);
    console.log('@end');
    const took = (performance.now() - begun) / 1000;
    if (took > 5 * slowness) console.log(`slow: ${name}: ${took.toFixed(0)} s`);
  }
}
