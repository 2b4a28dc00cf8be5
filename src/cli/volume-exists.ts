/** `rootless volume exists`: 0 if there is such a volume, 1 if not. */

import { findPaths } from '../paths.ts';
import { readVolume } from '../runtime/volume-store.ts';
import { command } from './command.ts';

export default command({
  name: 'volume exists',
  flags: {},
  words: { usage: 'VOLUME', min: 1, max: 1, complete: 'volume' },
  examples: ['rootless volume exists data || rootless volume create data'],
  run: ({ args, env }) => (readVolume(findPaths(env), args[0] ?? '') === undefined ? 1 : 0),
});
