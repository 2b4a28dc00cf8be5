/** `rootless system check`: whether everything in the store is whole, and with --repair makes it so. */

import { checkImages, type Problem } from '../image/check.ts';
import { checkLayers } from '../image/check-layers.ts';
import { repair } from '../image/repair.ts';
import { parseReference } from '../image/reference.ts';
import { pull } from '../image/transfer.ts';
import { findPaths } from '../paths.ts';
import { layersInUse } from '../runtime/layers-in-use.ts';
import { command } from './command.ts';
import { formatFlag, type Row, render } from './format.ts';
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
      const options = { quick: flags.quick, signal };
      const found = [...(await checkImages(paths, options)), ...(await checkLayers(paths, options, inUse))];
      const fetch = async ({ name }: { readonly name: string }) => {
        await pull(parseReference(name), { paths, signal });
      };
      const failed = flags.repair
        ? await repair(paths, found, mappersOf(env), inUse, fetch)
        : found.filter(({ level }) => level === 'broken');
      if (flags.format !== undefined)
        print(
          render(
            flags.format,
            found.map((problem) => toRow(problem, failed, flags.repair)),
            'list',
          ),
        );
      else
        print(`${[...found.map((problem) => toLine(problem, failed, flags.repair)), summary(found, failed, flags.repair)].join('\n')}\n`);
      return failed.length > 0 ? 1 : 0;
    });
  },
});

function toRow(problem: Problem, failed: readonly Problem[], repaired: boolean): Row {
  const { level, kind, what, why } = problem;
  return { Level: level, Kind: kind, What: what, Why: why, Repaired: repaired && !isIn(failed, problem) };
}

function toLine(problem: Problem, failed: readonly Problem[], repaired: boolean): string {
  const mark = repaired ? (isIn(failed, problem) ? 'cannot repair: ' : 'repaired: ') : '';
  const why = failed.find(({ kind, what }) => kind === problem.kind && what === problem.what)?.why ?? problem.why;
  return `${mark}${problem.kind}: ${problem.what}: ${why}`;
}

function isIn(failed: readonly Problem[], problem: Problem): boolean {
  return failed.some(({ kind, what }) => kind === problem.kind && what === problem.what);
}

function summary(found: readonly Problem[], failed: readonly Problem[], repaired: boolean): string {
  const broken = found.filter(({ level }) => level === 'broken').length;
  const left = found.length - broken;
  if (found.length === 0) return 'everything is whole';
  const parts = [`${broken} broken`, `${left} left over`];
  if (repaired) return `${parts.join(', ')}, ${failed.length} not repaired`;
  return `${parts.join(', ')}${broken > 0 ? ': rootless system check --repair' : ''}`;
}
