/** `rootless __complete images|containers|volumes|networks`: one name a line, for the completion scripts. */

import { imageFacts } from '../image/facts.ts';
import { findPaths, type Paths } from '../paths.ts';
import { listNetworks } from '../runtime/network-store.ts';
import { listContainers } from '../runtime/state.ts';
import { listVolumes } from '../runtime/volume-store.ts';
import { command } from './command.ts';
import { print } from './output.ts';

export default command({
  name: '__complete',
  flags: {},
  words: { usage: 'images|containers|volumes|networks', min: 1, max: 1, complete: ['images', 'containers', 'volumes', 'networks'] },
  run: ({ args, env }) => {
    const paths = findPaths(env);
    print([...new Set(names(paths, args[0]))].map((name) => `${name}\n`).join(''));
    return 0;
  },
});

function names(paths: Paths, what: string | undefined): string[] {
  if (what === 'images') return imageFacts(paths).flatMap(({ repository, tag }) => (tag === '<none>' ? [] : [`${repository}:${tag}`]));
  if (what === 'networks') return listNetworks(paths).map(({ name }) => name);
  return (what === 'volumes' ? listVolumes(paths) : listContainers(paths)).map(({ name }) => name);
}
