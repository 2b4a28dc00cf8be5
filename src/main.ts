/** The program: runs the command line and leaves with its code. The only file that touches exit. */

import { main } from './cli/index.ts';

process.exitCode = await main(process.argv.slice(2), process.env);
