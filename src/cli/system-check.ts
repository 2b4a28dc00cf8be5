/** `rootless system check`: whether everything in the store is whole, and with --repair makes it so. */

import { checkImages, type Problem } from '../image/check.ts';
import { checkLayers } from '../image/check-layers.ts';
import { repair } from '../image/repair.ts';
import { checkIndex, rebuildIndex } from '../image/salvage.ts';
import { parseReference } from '../image/reference.ts';
import { pull } from '../image/transfer.ts';
import { findPaths } from '../paths.ts';
import { layersInUse } from '../runtime/layers-in-use.ts';
import { command } from './command.ts';
import { type Format, formatFlag, type Row, render } from './format.ts';
import { mappersOf } from './image-uses.ts';
import { interruptible } from './interrupt.ts';
import { print } from './output.ts';

export default command({
  name: 'system check',
  flags: {
    quick: { type: 'boolean', alias: 'q', description: 'sizes only: reads no blob and no file of a layer' },
    repair: { type: 'boolean', alias: 'r', description: 'remove what is wrong or left over, and pull images again that lost something' },
    format: formatFlag,
  },
  words: { usage: '', min: 0, max: 0 },
  examples: ['rootless system check --quick', 'rootless system check --repair'],
  run: async ({ flags, env }) => {
    const paths = findPaths(env);
    const inUse = () => layersInUse(paths);
    return await interruptible(async (signal) => {
      const look = async (quick: boolean) => [
        ...(await checkImages(paths, { quick, signal })),
        ...(await checkLayers(paths, { quick, signal }, inUse)),
      ];
      const damaged = checkIndex(paths);
      if (damaged && flags.repair) await rebuildIndex(paths, signal);
      // Without an index nothing says what belongs to what.
      const found = damaged === undefined ? await look(flags.quick) : [damaged, ...(flags.repair ? await look(flags.quick) : [])];
      const fetch = async ({ name }: { readonly name: string }) => {
        await pull(parseReference(name), { paths, signal });
      };
      const refused = flags.repair && found.length > 0 ? await repair(paths, found, mappersOf(env), inUse, fetch) : undefined;
      const left = refused === undefined ? found : await look(true);
      show(found, left, refused, flags.format);
      return left.some(({ level }) => level === 'broken') ? 1 : 0;
    });
  },
});

type Refused = Awaited<ReturnType<typeof repair>>;

/** What was found; after a repair also what became of it. */
function show(found: readonly Problem[], left: readonly Problem[], refused: Refused | undefined, format: Format | undefined): void {
  const stays = (problem: Problem) =>
    left.find(({ kind, what }) => what === problem.what && (kind === problem.kind || kind === 'blob-missing'));
  if (format !== undefined) {
    const rows = found.map((problem) => ({ ...toRow(problem), Repaired: refused !== undefined && stays(problem) === undefined }));
    print(render(format, rows, 'list'));
    return;
  }
  const lines = found.map((problem) => {
    const mark = refused === undefined ? '' : stays(problem) ? 'cannot repair: ' : 'repaired: ';
    const reasons = stays(problem) ? problem.images.flatMap((image) => refused?.get(image) ?? []) : [];
    return [`${mark}${problem.kind}: ${problem.what}: ${problem.why}`, ...new Set(reasons)].join('; ');
  });
  print(`${[...lines, summary(found, left, refused !== undefined)].join('\n')}\n`);
}

function toRow({ level, kind, what, why }: Problem): Row {
  return { Level: level, Kind: kind, What: what, Why: why };
}

function summary(found: readonly Problem[], left: readonly Problem[], repaired: boolean): string {
  if (found.length === 0) return 'everything is whole';
  const count = (problems: readonly Problem[]) => problems.filter(({ level }) => level === 'broken').length;
  const text = `${count(found)} broken, ${found.length - count(found)} left over`;
  if (repaired) return count(left) === 0 ? `${text}: repaired` : `${text}; ${count(left)} still broken`;
  return count(found) === 0 ? text : `${text}: rootless system check --repair`;
}
