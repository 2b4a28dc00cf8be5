/** A new container, up to its description: id, mark, ids, image, folder and name. Nothing runs yet. */

import { parseImageSource } from '../image/reference.ts';
import { resolveImage } from '../image/resolve.ts';
import type { Paths } from '../paths.ts';
import { type Host, readHost } from '../userns/host.ts';
import { ourselves } from './alive.ts';
import { baseOf, defaultsOf, withPlace } from './base.ts';
import { settleMounts } from './container-mounts.ts';
import type { RunContext } from './context.ts';
import { removeTree } from './folders.ts';
import { newId } from './ids.ts';
import { lockContainer } from './lock.ts';
import { chooseIds, withUser } from './mapping.ts';
import { clearMark, leaveMark } from './marks.ts';
import { claimName, releaseName } from './names.ts';
import type { ContainerOptions, Mapping } from './options.ts';
import { chooseCommand } from './process.ts';
import type { Layers } from './root.ts';
import { networkLabel } from './network-label.ts';
import { mayFit, settleIds, widener } from './settle-ids.ts';
import { type Container, makeFolder } from './state.ts';
import { withSystemd } from './systemd.ts';
import type { Undo } from './undo.ts';

export type Made = {
  readonly container: Container;
  readonly folder: string;
  readonly mapping: Mapping;
  readonly layers: Layers;
  readonly host: Host;
  /** Others may change the container from now on. */
  readonly release: () => void;
};

/**
 * `early` is told the id and the ids that are mapped as soon as they are known, before the image is looked for. All that was made is on
 * `undo`, and the container is locked.
 */
export async function makeContainer(
  asked: ContainerOptions,
  context: RunContext,
  undo: Undo,
  early: (id: string, mapping: Mapping, host: Host) => void,
): Promise<Made> {
  const { paths } = context;
  const host = readHost(context.searchPath);
  const id = newId();
  const maker = ourselves();
  undo.add(() => clearMark(paths, id));
  leaveMark(paths, id, maker);
  const { mapping: chosen, release: releaseSlot } = await chooseIds(asked, host, paths, id);
  if (releaseSlot) undo.add(releaseSlot);
  const { options: wanted, mapping: first } =
    asked.network === 'container' ? await share(paths, asked, host, chosen) : { options: asked, mapping: chosen };
  // Which ids fit best is seen in the image.
  const open = mayFit(wanted, host, first);
  if (!open) early(id, first, host);
  const image = await resolveImage(parseImageSource(asked.image), { ...context, mapping: first, widen: widener(first, host) });
  const base = baseOf(image);
  const defaults = withUser(defaultsOf(base, paths), asked, host);
  const passing = asked.remove && asked.name === undefined && !context.detach;
  const mounted = await settleMounts(paths, withSystemd(withPlace(wanted, base), defaults, id), defaults.volumes, passing);
  const user = mounted.user || defaults.user;
  const { mapping, layers } = await settleIds({ id, options: mounted, user, host, image, base, first }, context);
  if (open) early(id, mapping, host);
  if (mapping.notice) context.notice?.(mapping.notice);
  const folder = makeFolder(paths, id);
  undo.add(() => removeTree(paths, folder, mapping.idMap));
  const release = await lockContainer(paths, id);
  undo.add(release);
  const name = claimName(paths, id, mounted.name);
  undo.add(() => releaseName(paths, name, id));
  const options = mounted.network === 'networks' ? await settle(paths, id, mounted) : mounted;
  const container: Container = {
    id,
    name,
    image: options.image,
    imageId: base.kind === 'layers' ? base.id : undefined,
    base,
    command: chooseCommand(options, defaults),
    created: new Date().toISOString(),
    maker,
    idMap: mapping.idMap,
    mode: mapping.mode,
    slot: releaseSlot !== undefined,
    remove: options.remove,
    network: networkLabel(options),
    ports: options.ports,
    labels: { ...defaults.labels, ...options.labels },
    line: context.line,
    options,
  };
  return { container, folder, mapping, layers, host, release };
}

async function share(paths: Paths, options: ContainerOptions, host: Host, chosen: Mapping) {
  const { shareNetwork } = await import('./network-shared.ts');
  return shareNetwork(paths, options, host, chosen);
}

async function settle(paths: Paths, id: string, options: ContainerOptions): Promise<ContainerOptions> {
  const { settleNetworks } = await import('./network-settle.ts');
  return settleNetworks(paths, id, options);
}
