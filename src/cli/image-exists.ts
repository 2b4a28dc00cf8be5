/** `rootless image exists`: says it by the exit code, 0 or 1. */

import { findStored } from '../image/find.ts';
import { listImages } from '../image/store.ts';
import { findPaths } from '../paths.ts';
import { command } from './command.ts';

export default command({
  name: 'image exists',
  flags: {},
  words: { usage: 'IMAGE', min: 1, max: 1, complete: 'image' },
  examples: ['rootless image exists alpine || rootless pull alpine'],
  run: ({ args, env }) => (findStored(listImages(findPaths(env)), args[0] ?? '') === undefined ? 1 : 0),
});
