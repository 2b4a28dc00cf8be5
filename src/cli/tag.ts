/** `rootless tag`: gives an image of the store more names. */

import { addNames } from '../image/tag.ts';
import { findPaths } from '../paths.ts';
import { command } from './command.ts';
import { tellingNames } from './image-events.ts';

export default command({
  name: 'tag',
  flags: {},
  words: { usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG] [TARGET...]', min: 2, max: Number.POSITIVE_INFINITY, complete: 'image' },
  examples: ['rootless tag app:latest registry.example.com/team/app:1.0'],
  run: async ({ args: [source = '', ...targets], env }) => {
    const paths = findPaths(env);
    await tellingNames(paths, () => addNames(paths, source, targets));
    return 0;
  },
});
