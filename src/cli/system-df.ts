/** `rootless system df`: what images, containers and volumes take of the disk, and what could become free. */

import { imageUsage, type ImageUsage } from '../image/usage.ts';
import { factsOf, shownName } from '../image/facts.ts';
import { hexOf } from '../image/digest.ts';
import { findPaths, type Paths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { containerSizes } from '../runtime/sizes.ts';
import { isActive, type Listed, listContainers } from '../runtime/state.ts';
import { sizeOfTrees } from '../runtime/tree-size.ts';
import { wholeMap } from '../runtime/volume-ids.ts';
import { usersOf } from '../runtime/volume-claims.ts';
import { listVolumes } from '../runtime/volume-store.ts';
import { readHost } from '../userns/host.ts';
import { command } from './command.ts';
import { statusText } from './container-row.ts';
import { ago, formatFlag, type Row, render, size, table } from './format.ts';
import { print } from './output.ts';
import { cut } from './text.ts';

export default command({
  name: 'system df',
  flags: {
    verbose: { type: 'boolean', alias: 'v', description: 'every image, container and volume' },
    format: formatFlag,
  },
  words: { usage: '', min: 0, max: 0 },
  examples: ['rootless system df', "rootless system df --format '{{.Type}} {{.Reclaimable}}'"],
  run: async ({ flags, env }) => {
    const found = await measure(findPaths(env), env);
    const { format } = flags;
    if (flags.verbose) print(format === undefined ? sections(found) : render(format, [details(found)], 'list'));
    else if (format !== undefined) print(render(format, summary(found), 'list'));
    else print(table([['TYPE', 'TOTAL', 'ACTIVE', 'SIZE', 'RECLAIMABLE'], ...summary(found).map(cells)]));
    return 0;
  },
});

type Found = {
  readonly images: readonly (ImageUsage & { readonly containers: number; readonly row: Row })[];
  readonly imageBytes: number;
  readonly containers: readonly { readonly container: Listed; readonly written: number }[];
  readonly volumes: readonly { readonly name: string; readonly links: number; readonly bytes: number }[];
};

async function measure(paths: Paths, env: NodeJS.ProcessEnv): Promise<Found> {
  const listed = listContainers(paths);
  const usage = imageUsage(paths);
  const containers = [];
  for (const container of listed) containers.push({ container, written: (await containerSizes(paths, container)).written });
  const idMap = wholeMap(readHost(searchPath(env)));
  const volumes = [];
  for (const volume of listVolumes(paths)) {
    volumes.push({ name: volume.name, links: usersOf(paths, volume).length, bytes: await sizeOfTrees(paths, idMap, [volume.mountpoint]) });
  }
  const images = usage.images.map((one) => {
    const used = listed.filter(({ imageId }) => imageId === one.image.id).length;
    return { ...one, containers: used, row: imageRow(paths, one, used) };
  });
  return { images, imageBytes: usage.total, containers, volumes };
}

type Line = Readonly<Record<'Type' | 'TotalCount' | 'Active' | 'Size' | 'Reclaimable', string>>;

/** docker's four lines; there is no build cache here. */
function summary({ images, imageBytes, containers, volumes }: Found): Line[] {
  const idle = containers.filter(({ container }) => !isActive(container));
  const free = volumes.filter(({ links }) => links === 0);
  const written = sum(containers.map((one) => one.written));
  const kept = sum(images.filter((one) => one.containers > 0).map(({ shared, unique }) => shared + unique));
  return [
    line('Images', images.length, images.filter((one) => one.containers > 0).length, imageBytes, Math.max(0, imageBytes - kept)),
    line('Containers', containers.length, containers.length - idle.length, written, sum(idle.map((one) => one.written))),
    line(
      'Local Volumes',
      volumes.length,
      volumes.length - free.length,
      sum(volumes.map(({ bytes }) => bytes)),
      sum(free.map(({ bytes }) => bytes)),
    ),
    { Type: 'Build Cache', TotalCount: '0', Active: '0', Size: '0B', Reclaimable: '0B' },
  ];
}

function line(Type: string, total: number, active: number, bytes: number, free: number): Line {
  const share = bytes === 0 ? '' : ` (${Math.floor((free * 100) / bytes)}%)`;
  return { Type, TotalCount: String(total), Active: String(active), Size: size(bytes), Reclaimable: `${size(free)}${share}` };
}

function cells({ Type, TotalCount, Active, Size, Reclaimable }: Line): string[] {
  return [Type, TotalCount, Active, Size, Reclaimable];
}

function imageRow(paths: Paths, { image, shared, unique }: ImageUsage, containers: number): Row {
  const { repository, tag } = shownName(image.name);
  const created = factsOf(paths, image)?.created;
  return {
    Repository: repository,
    Tag: tag,
    ID: hexOf(image.id).slice(0, 12),
    CreatedSince: ago(created, Date.now()) || 'N/A',
    Size: size(shared + unique),
    SharedSize: size(shared),
    UniqueSize: size(unique),
    Containers: String(containers),
  };
}

function details(found: Found): Row {
  return {
    Images: found.images.map(({ row }) => row),
    Containers: found.containers.map(({ container, written }) => ({
      ID: container.id.slice(0, 12),
      Image: container.image,
      Command: cut(container.command.join(' '), 20),
      LocalVolumes: String(found.volumes.filter(({ links }) => links > 0).length),
      Size: size(written),
      RunningFor: ago(container.created, Date.now()),
      Status: statusText(container, Date.now()),
      Names: container.name,
    })),
    Volumes: found.volumes.map(({ name, links, bytes }) => ({ Name: name, Links: String(links), Size: size(bytes) })),
    BuildCache: [],
  };
}

function sections(found: Found): string {
  const all = details(found) as Readonly<Record<string, readonly Readonly<Record<string, string>>[]>>;
  const part = (title: string, key: string, columns: Readonly<Record<string, string>>) => {
    const rows = (all[key] ?? []).map((row) => Object.values(columns).map((field) => row[field] ?? ''));
    return `${title}\n\n${table([Object.keys(columns), ...rows])}`;
  };
  return [
    part('Images space usage:', 'Images', {
      REPOSITORY: 'Repository',
      TAG: 'Tag',
      'IMAGE ID': 'ID',
      CREATED: 'CreatedSince',
      SIZE: 'Size',
      'SHARED SIZE': 'SharedSize',
      'UNIQUE SIZE': 'UniqueSize',
      CONTAINERS: 'Containers',
    }),
    part('Containers space usage:', 'Containers', {
      'CONTAINER ID': 'ID',
      IMAGE: 'Image',
      COMMAND: 'Command',
      SIZE: 'Size',
      CREATED: 'RunningFor',
      STATUS: 'Status',
      NAMES: 'Names',
    }),
    part('Local Volumes space usage:', 'Volumes', { 'VOLUME NAME': 'Name', LINKS: 'Links', SIZE: 'Size' }),
  ].join('\n');
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
