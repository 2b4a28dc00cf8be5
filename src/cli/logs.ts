/** `rootless logs`: what containers have said. */

import { RootlessError } from '../errors.ts';
import { findPaths, type Paths } from '../paths.ts';
import { type LogWish, printLog } from '../runtime/logs.ts';
import type { Listed } from '../runtime/state.ts';
import { command } from './command.ts';
import { chooseContainers, isTarget } from './containers.ts';
import { BadValue } from './values/bad.ts';
import { parseTime } from './values/time.ts';

export default command({
  name: 'logs',
  flags: {
    follow: { type: 'boolean', alias: 'f', description: 'go on with what comes, until the container ends' },
    tail: { type: 'string', alias: 'n', valueHint: 'LINES', parse: parseTail, description: 'only so many of the last lines (default all)' },
    timestamps: { type: 'boolean', alias: 't', description: 'the time before each line' },
    since: { type: 'string', valueHint: 'TIME', parse: parseTime, description: 'not what is older: 10m, 2026-01-31T12:00:00, a Unix time' },
    until: { type: 'string', valueHint: 'TIME', parse: parseTime, description: 'not what is younger' },
    details: { type: 'boolean', description: 'what --log-opt tag added to the log' },
    names: { type: 'boolean', description: 'the name of the container before each line' },
    latest: { type: 'boolean', alias: 'l', description: 'of the newest container' },
  },
  words: { usage: 'CONTAINER [CONTAINER...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'container' },
  examples: ['rootless logs -f web', 'rootless logs --tail 20 -t web', 'rootless logs --since 10m --names web db'],
  run: async ({ flags, args, env }) => {
    const paths = findPaths(env);
    const { follow, tail, timestamps, since, until, details, names, latest } = flags;
    if (since !== undefined && until !== undefined && since > until) throw outOfOrder();
    const targets = await chooseContainers(paths, { command: 'logs', args, latest });
    const containers = targets.map((target) => {
      if (isTarget(target)) return target.container;
      throw target;
    });
    const prefix = prefixOf(names, containers.length > 1);
    return printAll(paths, containers, { follow, tail, timestamps, since, until, details }, prefix);
  },
});

/** One after the other; followed, all at once. */
async function printAll(paths: Paths, all: readonly Listed[], wish: LogWish, prefix: (container: Listed) => string): Promise<number> {
  const print = (container: Listed) => printLog(paths, container, wish, prefix(container));
  if (wish.follow) return Math.max(...(await Promise.all(all.map(print))));
  for (const container of all) {
    const code = await print(container);
    if (code !== 0) return code;
  }
  return 0;
}

/** podman's: who speaks is said when there are several. */
function prefixOf(names: boolean, several: boolean): (container: Listed) => string {
  if (names) return ({ name }) => `${name} `;
  return several ? ({ id }) => `${id.slice(0, 12)} ` : () => '';
}

/** docker: what is no number, and less than none, is all. */
function parseTail(text: string): number | undefined {
  if (text === 'all' || /^-\d+$/.test(text)) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new BadValue(`invalid number of lines: "${text}"`, { fix: 'a number, or all' });
}

function outOfOrder(): RootlessError {
  return new RootlessError({ code: 'FLAGS_CONFLICT', message: '--until is before --since', fix: 'exchange the two' });
}
