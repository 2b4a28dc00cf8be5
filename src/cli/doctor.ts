/** `rootless doctor`: what this machine lacks for containers, why, and the commands that mend it. */

import { isatty } from 'node:tty';
import { checks, examine, repairScript } from '../doctor/index.ts';
import { thisMachine } from '../doctor/machine.ts';
import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { command } from './command.ts';
import { report } from './doctor-report.ts';
import { print } from './output.ts';

export default command({
  name: 'doctor',
  flags: {
    json: { type: 'boolean', description: 'all findings as JSON' },
    fix: { type: 'boolean', description: 'print a script for root that mends what can be mended; nothing is run' },
    quiet: { type: 'boolean', alias: 'q', description: 'only what is wrong' },
  },
  words: { usage: '[CHECK...]', min: 0, max: Number.POSITIVE_INFINITY, complete: checks.map(({ id }) => id) },
  examples: ['rootless doctor', 'rootless doctor --fix > mend.sh', 'rootless doctor --json overlay pasta'],
  run: async ({ flags, args, env }) => {
    const chosen = args.length === 0 ? checks : args.map(checkNamed);
    const results = await examine(thisMachine(findPaths(env), searchPath(env), env), chosen);
    if (flags.json) print(`${JSON.stringify(results, null, 2)}\n`);
    else if (flags.fix) print(repairScript(results, args.length > 0) ?? '#!/bin/sh\n# rootless doctor found nothing to mend.\n');
    else {
      const shown = flags.quiet ? results.filter(({ status }) => status === 'bad' || status === 'warn') : results;
      print(report(shown, args.length > 0, columnsOfOutput()));
    }
    return results.some(({ status }) => status === 'bad') ? 1 : 0;
  },
});

function checkNamed(id: string) {
  const check = checks.find((known) => known.id === id);
  if (check) return check;
  throw new RootlessError({
    code: 'CHECK_UNKNOWN',
    message: `there is no check "${id}"`,
    fix: `one of: ${checks.map((known) => known.id).join(' ')}`,
  });
}

/** Of the terminal, if there is one. */
function columnsOfOutput(): number {
  return isatty(1) ? (process.stdout.getWindowSize?.()[0] ?? 80) || 80 : Number.POSITIVE_INFINITY;
}
