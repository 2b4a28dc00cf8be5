/** `rootless system migrate`: moves what is stored away from ids that are to be given back. */

import { findPaths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { migrate } from '../runtime/migrate.ts';
import { readHost } from '../userns/host.ts';
import { command } from './command.ts';
import { print } from './output.ts';
import { BadValue } from './values/bad.ts';

export default command({
  name: 'system migrate',
  flags: {
    leave: {
      type: 'string',
      valueHint: 'FIRST-LAST',
      repeat: true,
      parse: parseRange,
      description: 'host ids that nothing may have afterwards',
    },
  },
  words: { usage: '', min: 0, max: 0 },
  examples: ['rootless system migrate', 'rootless system migrate --leave 100000-165535'],
  run: async ({ flags, env }) => {
    const { containers, volumes, layers } = await migrate(findPaths(env), readHost(searchPath(env)), flags.leave);
    const what = [
      ...containers.map((name) => `container ${name}`),
      ...volumes.map((name) => `volume ${name}`),
      ...(layers > 0 ? [`${layers} sets of unpacked layers, which come again when they are needed`] : []),
    ];
    print(what.length === 0 ? 'nothing to migrate\n' : `migrated: ${what.join(', ')}\n`);
    return 0;
  },
});

function parseRange(text: string): { readonly start: number; readonly size: number } {
  const [, first, last] = /^(\d{1,10})-(\d{1,10})$/.exec(text) ?? [];
  const [start, end] = [Number(first), Number(last)];
  if (first === undefined || end < start || end >= 0xffff_ffff)
    throw new BadValue(`invalid range: "${text}"`, { fix: 'FIRST-LAST: 100000-165535' });
  return { start, size: end - start + 1 };
}
