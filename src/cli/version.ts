/** `rootless version`: ours, Node's and the helper's. */

import manifest from '../../package.json' with { type: 'json' };
import { findPaths } from '../paths.ts';
import { command } from './command.ts';
import { print } from './output.ts';
import { formatFlag, render } from './format.ts';

export default command({
  name: 'version',
  flags: { format: formatFlag },
  words: { usage: '', min: 0, max: 0 },
  run: async ({ flags, env }) => {
    const { format } = flags;
    if (format === undefined) {
      print(`rootless ${manifest.version}\n`);
      return 0;
    }
    const paths = findPaths(env);
    const facts = {
      Version: manifest.version,
      Node: process.version,
      Platform: `${process.platform}/${process.arch}`,
      Helper: paths.helper,
    };
    print(render(format, [facts], 'one'));
    return 0;
  },
});
