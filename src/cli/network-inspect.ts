/** `rootless network inspect`: everything known of networks. */

import { findPaths } from '../paths.ts';
import { findNetwork } from '../runtime/network-store.ts';
import { command } from './command.ts';
import { formatFlag, render, type Row } from './format.ts';
import { inspectNetwork, modes } from './network-row.ts';
import { print } from './output.ts';
import { report } from './ui.ts';
import { networkMode } from './values/network.ts';

export default command({
  name: 'network inspect',
  flags: {
    verbose: { type: 'boolean', alias: 'v', description: 'also containers that do not run' },
    format: { ...formatFlag, alias: 'f', description: '"json", or a template: {{.Internal}}' },
  },
  words: { usage: 'NETWORK [NETWORK...]', min: 1, max: Number.POSITIVE_INFINITY, complete: 'network' },
  examples: ["rootless network inspect -f '{{json .Containers}}' front"],
  run: ({ flags, args, debug, env }) => {
    const paths = findPaths(env);
    const found: Row[] = [];
    const failures: unknown[] = [];
    for (const name of args) {
      try {
        const network = modes.find((mode) => mode.name === networkMode(name) || mode.id === name) ?? findNetwork(paths, name);
        found.push(inspectNetwork(paths, network, flags.verbose));
      } catch (error) {
        failures.push(error);
      }
    }
    // docker: what was found is shown even if something else was not.
    if (flags.format === undefined) print(`${JSON.stringify(found, null, 4)}\n`);
    else print(render(flags.format, found, 'array'));
    return Math.max(0, ...failures.map((error) => report(error, debug)));
  },
});
