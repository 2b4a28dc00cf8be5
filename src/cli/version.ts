/** `rootless version`: ours, the helper's and Node's. */

import manifest from '../../package.json' with { type: 'json' };
import { runHelper } from '../helper.ts';
import { findPaths } from '../paths.ts';
import { hostPlatform } from '../image/platform.ts';
import { command } from './command.ts';
import { formatFlag, render } from './format.ts';
import { print } from './output.ts';

export default command({
  name: 'version',
  flags: {
    short: { type: 'boolean', hidden: true, description: 'one line, as --version' },
    format: formatFlag,
  },
  words: { usage: '', min: 0, max: 0 },
  examples: ["rootless version --format '{{.Version}} {{.Helper}}'"],
  run: async ({ flags, env }) => {
    if (flags.short) {
      print(`rootless ${manifest.version}\n`);
      return 0;
    }
    const helper = await runHelper(findPaths(env), ['--version']);
    // docker has two programs; scripts ask for either. Ours are one.
    const one = { Version: manifest.version, Os: process.platform, Arch: hostPlatform().architecture };
    const facts = {
      Version: manifest.version,
      Helper: field(helper.stdout, /version (\S+)/),
      Spec: field(helper.stdout, /^spec: (\S+)/m),
      Node: process.version,
      Platform: `${process.platform}/${process.arch}`,
      Client: one,
      Server: one,
    };
    if (flags.format !== undefined) print(render(flags.format, [facts], 'one'));
    else print(`rootless ${facts.Version}\nhelper   ${facts.Helper}, OCI runtime-spec ${facts.Spec}\nnode     ${facts.Node}\n`);
    return 0;
  },
});

function field(text: string, pattern: RegExp): string {
  return pattern.exec(text)?.[1] ?? 'unknown';
}
