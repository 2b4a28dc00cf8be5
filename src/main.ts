/** The program: runs the command line and leaves with its code. The only file that touches exit. */

import { main } from './cli/index.ts';
import { takeUsualUmask } from './umask.ts';

// No top-level await: the program is bundled as CommonJS, which starts faster (scripts/build.mjs).
takeUsualUmask();
main(process.argv.slice(2), process.env).then((code) => {
  process.exitCode = code;
});
