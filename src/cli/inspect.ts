/** `rootless inspect`: everything known of containers, images, volumes and networks, as JSON with docker's names where the meaning is the same. */

import { RootlessError } from '../errors.ts';
import { findPaths, type Paths } from '../paths.ts';
import { findContainer, latestContainer, type Listed } from '../runtime/state.ts';
import { command } from './command.ts';
import { formatFlag, render, type Row } from './format.ts';
import { inspectContainer } from './inspect-container.ts';
import { inspectImage } from './inspect-image.ts';
import { print } from './output.ts';
import { report } from './ui.ts';
import { BadValue } from './values/bad.ts';

const types = ['container', 'image', 'volume', 'network'] as const;
type Type = (typeof types)[number];

const latest = { type: 'boolean', alias: 'l', description: 'the container that was created last' } as const;
const sizes = { type: 'boolean', alias: 's', description: 'how much a container has written, and its whole size' } as const;
const format = { ...formatFlag, alias: 'f', description: '"json", or a template: {{.Id}}, {{json .Config}}' } as const;

export default command({
  name: 'inspect',
  flags: {
    type: { type: 'string', valueHint: types.join('|'), parse: parseType, choices: types, description: 'look only among these' },
    latest,
    size: sizes,
    format,
  },
  words: { usage: 'NAME|ID [NAME|ID...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'container' },
  examples: ["rootless inspect --format '{{.State.Status}}' web", 'rootless inspect --type image alpine'],
  run: (input) => inspectAll(input, input.flags.type),
});

export const containerInspect = command({
  name: 'container inspect',
  flags: { latest, size: sizes, format },
  words: { usage: 'CONTAINER [CONTAINER...]', min: 0, max: Number.POSITIVE_INFINITY, complete: 'container' },
  run: (input) => inspectAll(input, 'container'),
});

type Input = {
  readonly flags: { readonly latest: boolean; readonly size: boolean; readonly format: ReturnType<typeof formatFlag.parse> };
  readonly args: readonly string[];
  readonly debug: boolean;
  readonly env: NodeJS.ProcessEnv;
};

async function inspectAll({ flags, args, debug, env }: Input, type: Type | undefined): Promise<number> {
  const paths = findPaths(env);
  const found: Row[] = [];
  const failures: unknown[] = [];
  for (const name of wanted(args, flags.latest, paths)) {
    try {
      found.push(await inspect(paths, name, type, flags.size));
    } catch (error) {
      failures.push(error);
    }
  }
  // docker: what was found is shown even if something else was not.
  if (flags.format === undefined) print(`${JSON.stringify(found, null, 4)}\n`);
  else print(render(flags.format, found, 'array'));
  return Math.max(0, ...failures.map((error) => report(error, debug)));
}

function wanted(args: readonly string[], newest: boolean, paths: Paths): readonly string[] {
  if (newest && args.length > 0) {
    throw new RootlessError({ code: 'ARGUMENTS_WRONG', message: '--latest and names exclude each other' });
  }
  if (!newest && args.length === 0) {
    throw new RootlessError({
      code: 'ARGUMENTS_WRONG',
      message: '"rootless inspect" requires at least 1 argument',
      fix: 'rootless inspect NAME|ID',
    });
  }
  return newest ? [latestContainer(paths).id] : args;
}

function parseType(text: string): Type {
  const type = types.find((one) => one === text);
  if (type === undefined) throw new BadValue(`"${text}" is not a valid value for --type`, { fix: `types are ${types.join(', ')}` });
  return type;
}

async function inspect(paths: Paths, name: string, type: Type | undefined, size: boolean): Promise<Row> {
  if (type === undefined || type === 'container') {
    const container = orNothing('CONTAINER_NOT_FOUND', type === undefined, () => findContainer(paths, name));
    if (container) return { ...inspectContainer(paths, container), ...(size ? await sizesOf(paths, container) : {}) };
  }
  if (type === undefined || type === 'image') {
    const image = inspectImage(paths, name);
    if (image) return image;
    if (type === 'image') throw notFound('IMAGE_NOT_FOUND', `no such image: "${name}"`, 'rootless images');
  }
  const { findNetwork } = await import('../runtime/network-store.ts');
  const { inspectNetwork } = await import('./network-row.ts');
  const networkRow = () => inspectNetwork(paths, findNetwork(paths, name), false);
  if (type === 'network') return networkRow();
  const { findVolume } = await import('../runtime/volume-store.ts');
  const { inspectVolume } = await import('./volume-row.ts');
  const volume = orNothing('VOLUME_NOT_FOUND', type === undefined, () => findVolume(paths, name));
  if (volume) return inspectVolume(paths, volume);
  const network = orNothing('NETWORK_NOT_FOUND', true, networkRow);
  if (network && type === undefined) return network;
  throw notFound('NOTHING_FOUND', `no such object: "${name}"`, 'rootless ps -a, rootless images, rootless volume ls, rootless network ls');
}

/** What is not found here may be something else, unless it was asked for. */
function orNothing<T>(code: string, tolerant: boolean, find: () => T): T | undefined {
  try {
    return find();
  } catch (error) {
    if (tolerant && error instanceof RootlessError && (error.code === code || error.code === 'VOLUME_NAME_INVALID')) return undefined;
    throw error;
  }
}

function notFound(code: 'IMAGE_NOT_FOUND' | 'NOTHING_FOUND', message: string, fix: string): RootlessError {
  return new RootlessError({ code, message, fix, exit: 1 });
}

async function sizesOf(paths: Paths, container: Listed): Promise<Row> {
  const { containerSizes } = await import('../runtime/sizes.ts');
  const { written, whole } = await containerSizes(paths, container);
  return { SizeRw: written, SizeRootFs: whole };
}
