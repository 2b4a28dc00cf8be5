/** `rootless stats`: what running containers use, again and again. */

import { setTimeout as sleep } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { findPaths, type Paths } from '../paths.ts';
import { type Scan, scanProcesses } from '../runtime/processes.ts';
import { findContainer, isRunning, latestContainer, type Listed, listActive, listContainers, readContainer } from '../runtime/state.ts';
import { type Sample, takeSample } from '../runtime/stats.ts';
import { command } from './command.ts';
import { type Format, formatFlag, render, type Row, table } from './format.ts';
import { print } from './output.ts';
import { type Measured, statsHeadings, statsRow } from './stats-row.ts';
import { BadValue } from './values/bad.ts';

const columns = ['ID', 'Name', 'CPUPerc', 'MemUsage', 'MemPerc', 'NetIO', 'BlockIO', 'PIDs'] as const;

/** Milliseconds between the two samples that a percentage is made of. */
const first = 500;

export default command({
  name: 'stats',
  flags: {
    all: { type: 'boolean', alias: 'a', description: 'also containers that do not run' },
    latest: { type: 'boolean', alias: 'l', description: 'only the container that was created last' },
    'no-stream': { type: 'boolean', description: 'measure once and end' },
    'no-trunc': { type: 'boolean', description: 'do not shorten ids' },
    'no-reset': { type: 'boolean', description: 'do not clear the screen between two measurements' },
    interval: { type: 'string', alias: 'i', valueHint: 'SECONDS', parse: parseInterval, description: 'time between two (default 1)' },
    format: formatFlag,
  },
  words: { usage: '[CONTAINER...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'container' },
  examples: [
    'rootless stats --no-stream',
    "rootless stats --format '{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.MemPeak}}'",
    'rootless stats --no-stream --format json web',
  ],
  run: async ({ flags, args, env }) => {
    const paths = findPaths(env);
    const asked = flags.latest ? [latestContainer(paths).id] : args;
    // All names are looked up before anything is shown.
    const named = asked.map((name) => ({ name, id: findContainer(paths, name).id }));
    const targets = (): Target[] => (named.length > 0 ? look(paths, named) : every(paths, flags.all));
    const wait = flags.interval ?? 1000;
    const clear = !flags['no-stream'] && !flags['no-reset'] && flags.format?.kind !== 'json' && isatty(1);
    let before = measure(targets());
    for (let pause = Math.min(first, wait); ; pause = wait) {
      await sleep(before.size > 0 || !flags['no-stream'] ? pause : 0);
      const now = targets();
      const samples = measure(now);
      const rows = now.map(({ asked: word, container: { id, name } }) => {
        const measured: Measured = { asked: word, id, name, before: before.get(id), now: samples.get(id) };
        return statsRow(measured, flags['no-trunc']);
      });
      print(`${clear ? '\x1b[H' : ''}${lines(text(rows, flags.format), clear)}`);
      if (flags['no-stream'] || (named.length > 0 && now.length === 0)) return 0;
      before = samples;
    }
  },
});

type Target = { readonly asked: string; readonly container: Listed };

function every(paths: Paths, all: boolean): Target[] {
  return (all ? listContainers(paths) : listActive(paths).filter(isRunning)).map((container) => ({
    asked: container.id.slice(0, 12),
    container,
  }));
}

/** One that was removed meanwhile is left out. */
function look(paths: Paths, named: readonly { readonly name: string; readonly id: string }[]): Target[] {
  return named.flatMap(({ name, id }) => {
    const container = readContainer(paths, id);
    return container === undefined ? [] : [{ asked: name, container }];
  });
}

function measure(targets: readonly Target[]): ReadonlyMap<string, Sample> {
  let scan: Scan | undefined;
  const processes = () => {
    scan ??= scanProcesses();
    return scan;
  };
  const samples = new Map<string, Sample>();
  for (const { container } of targets) {
    const sample = takeSample(container, processes);
    if (sample) samples.set(container.id, sample);
  }
  return samples;
}

function text(rows: readonly Row[], format: Format | undefined): string {
  if (format !== undefined) return render(format, rows, 'list', statsHeadings);
  return table([
    columns.map((field) => statsHeadings[field as keyof typeof statsHeadings] ?? 'NAME'),
    ...rows.map((row) => columns.map((field) => String(row[field]))),
  ]);
}

/** On a screen: each line is cleared to its end, and everything below the last one. */
function lines(shown: string, clear: boolean): string {
  return clear ? `${shown.replaceAll('\n', '\x1b[K\n')}\x1b[J` : shown;
}

function parseInterval(words: string): number {
  if (!/^\d{1,6}(\.\d+)?$/.test(words) || Number(words) <= 0) throw new BadValue(`"${words}" is not a number of seconds`);
  return Number(words) * 1000;
}
