/** `rootless untag`: takes names from an image, which stays. */

import { removeNames } from '../image/tag.ts';
import { findPaths } from '../paths.ts';
import { command } from './command.ts';
import { tellingNames } from './image-events.ts';

export default command({
  name: 'untag',
  flags: {},
  words: { usage: 'IMAGE [NAME...]', min: 1, max: Number.POSITIVE_INFINITY, complete: 'image' },
  examples: ['rootless untag app:latest', 'rootless untag 3b2f1c0d9e8a registry.example.com/team/app:1.0'],
  run: async ({ args: [image = '', ...names], env }) => {
    const paths = findPaths(env);
    await tellingNames(paths, () => removeNames(paths, image, names));
    return 0;
  },
});
