/** One container in the foreground, from what was asked to its exit code. */

import { isLimited, toResources } from '../cgroup/limits.ts';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import { parseImageSource } from '../image/reference.ts';
import { type Image, resolveImage } from '../image/resolve.ts';
import type { Paths } from '../paths.ts';
import { chooseMapping, mapWantedUser, type UsernsRequest } from '../userns/choose.ts';
import { type Host, readHost } from '../userns/host.ts';
import { ourselves } from './alive.ts';
import { hasApt } from './apt.ts';
import { formatConfig, writeBundle } from './bundle.ts';
import type { RunContext } from './context.ts';
import { writeFiles } from './files.ts';
import { newId } from './ids.ts';
import { launch, type Starting, startEarly } from './launch.ts';
import type { ContainerOptions, Mapping } from './options.ts';
import type { ImageDefaults } from './process.ts';
import { asideFolder, removeTree } from './folders.ts';
import { type Layers, planRoot } from './root.ts';
import { chooseSeccomp } from './seccomp.ts';
import { buildSpec, hostnameOf, type RootPlan } from './spec.ts';
import { clearMark, leaveMark } from './marks.ts';
import { claimName, releaseName } from './names.ts';
import { replace } from './replace.ts';
import { containerFolder, makeFolder, writeContainer } from './state.ts';
import { chooseStorage } from './storage.ts';
import { newUndo, type Undo } from './undo.ts';
import { checkConfig } from './validated.ts';

/**
 * Runs a container to its end; @returns its program's exit code, 128 + signal if one killed it.
 * @throws RootlessError whatever failed before the program ran; nothing is left behind then
 */
export async function run(options: ContainerOptions, context: RunContext): Promise<number> {
  const undo = newUndo();
  const always = newUndo();
  try {
    const prepared = await prepare(options, context, undo, always);
    if (context.dryRun) {
      context.dryRun(`${formatConfig(prepared.config, 2)}\n`);
      return 0;
    }
    context.signal?.throwIfAborted();
    context.created?.(prepared.id);
    const life = { monitor: ourselves(), pid: 0, startTime: '', started: new Date().toISOString(), restarts: 0 };
    const status = join(containerFolder(context.paths, prepared.id), 'status.json');
    replace(status, JSON.stringify({ ...life, status: 'running' }));
    const exit = await launch(prepared.id, options, prepared.config, prepared.host, prepared.starting, context);
    if (!options.remove) {
      const finished = new Date().toISOString();
      replace(status, JSON.stringify({ ...life, status: 'exited', code: exit.code, finished, ...(exit.oom ? { oom: true } : {}) }));
      clearMark(context.paths, prepared.id);
      undo.keep();
    }
    return exit.code;
  } finally {
    await always.run();
    await undo.run();
  }
}

type Prepared = {
  readonly id: string;
  readonly host: Host;
  readonly config: ReturnType<typeof buildSpec>;
  readonly starting: Starting | undefined;
};

/** Everything up to the launch. What goes if it fails is on `undo`, what goes in any case on `always`. */
async function prepare(options: ContainerOptions, context: RunContext, undo: Undo, always: Undo): Promise<Prepared> {
  const { paths, signal } = context;
  const host = readHost(context.searchPath);
  const id = newId();
  const maker = ourselves();
  undo.add(() => clearMark(paths, id));
  leaveMark(paths, id, maker);
  const base = await chooseIds(options, host, paths, id, always);
  // With one id only, the image's user decides which; with limits, this process may have to move to another cgroup first.
  const later = base.mode === 'single' || isLimited(options.limits) || context.dryRun;
  const starting = later ? undefined : startEarly(paths, id, options, base.idMap);
  undo.add(() => starting?.cancel());
  // The helper forgets its state itself, unless it was killed.
  always.add(() => forgetState(join(paths.runtime, id)));
  const image = await resolveImage(parseImageSource(options.image), { ...context, mapping: base });
  const defaults = withUser(imageDefaults(image, paths), options, host);
  const mapping = mapWantedUser(base, host, options.user || defaults.user);
  if (mapping.notice) context.notice?.(mapping.notice);
  const network = options.network === 'private' ? await planNetwork(options, context) : undefined;
  const cgroup = isLimited(options.limits) ? await planCgroup(options, host) : undefined;
  const seccomp = await chooseSeccomp(options, mapping.mode);
  const storage = image.kind === 'host' ? undefined : await chooseStorage(paths, mapping.idMap, context.searchPath, signal);

  const folder = makeFolder(paths, id);
  undo.add(() => removeTree(paths, folder, mapping.idMap));
  const name = claimName(paths, id, options.name);
  undo.add(() => releaseName(paths, name, id));

  const root = storage ? planRoot(folder, layersOf(image), storage, options.remove) : await planHost(paths, id, folder, options.userns);
  if (storage === undefined) always.add(() => removeTree(paths, asideFolder(paths, id), mapping.idMap));
  const hostname = hostnameOf(options, id);
  const config = buildSpec(options, {
    id,
    image: defaults,
    mapping,
    root,
    files: writeFiles(folder, hostname, options, network?.dns, mapping.mode === 'single' && hasApt(layersOf(image))),
    volumes: await planVolumes(paths, folder, options, defaults),
    seccomp,
    companion: network?.companion,
    cgroup: cgroup && { path: cgroup.path(id), resources: cgroup.resources },
  });
  const text = formatConfig(config);
  await checkConfig(paths, id, text);
  writeBundle(folder, text);
  writeContainer(paths, {
    id,
    name,
    image: options.image,
    imageId: image.kind === 'layers' ? image.id : undefined,
    command: config.process.args,
    created: new Date().toISOString(),
    maker,
    idMap: mapping.idMap,
    mode: mapping.mode,
    slot: options.userns.kind === 'auto',
    remove: options.remove,
    network: options.network,
    ports: network?.ports ?? options.ports,
    labels: { ...defaults.labels, ...options.labels },
    options,
  });
  return { id, host, config, starting };
}

function forgetState(folder: string): void {
  if (existsSync(folder)) rmSync(folder, { recursive: true });
}

async function chooseIds(options: ContainerOptions, host: Host, paths: Paths, id: string, always: Undo): Promise<Mapping> {
  if (options.userns.kind !== 'auto') return chooseMapping(options.userns, host);
  const { claimSlot } = await import('./slots.ts');
  const { mapping, release } = claimSlot(paths, id, (inUse) => chooseMapping(options.userns, host, inUse));
  always.add(release);
  return mapping;
}

const noDefaults: ImageDefaults = {
  entrypoint: [],
  cmd: [],
  env: [],
  user: '',
  workingDir: '',
  volumes: [],
  stopSignal: undefined,
  labels: {},
};

/** `host:` begins where the caller is, with the caller's home; folders that the container has for itself are not there. */
function imageDefaults(image: Image, paths: Paths): ImageDefaults {
  if (image.kind === 'layers') return image.config;
  const shell = { ...noDefaults, cmd: ['/bin/sh'] };
  if (image.kind === 'rootfs') return shell;
  const here = process.cwd();
  return { ...shell, env: [`HOME=${paths.home}`], workingDir: /^\/(proc|sys|dev|run|tmp)(\/|$)/.test(here) ? '/' : here };
}

/** With keep-id the caller is who the program runs as, unless --user says otherwise: podman's rule. */
function withUser(defaults: ImageDefaults, { userns }: ContainerOptions, host: Host): ImageDefaults {
  if (userns.kind !== 'keep-id') return defaults;
  return { ...defaults, user: `${userns.uid ?? host.uid}:${userns.gid ?? host.gid}` };
}

function layersOf(image: Image): Layers {
  if (image.kind === 'rootfs') return { base: '/', lower: [image.dir] };
  return (image.kind === 'layers' ? image.layers : undefined) ?? { base: '/', lower: [] };
}

/** @throws RootlessError HOST_NEEDS_CALLER: this machine's folders are for users that the mapping has not */
async function planHost(paths: Paths, id: string, folder: string, request: UsernsRequest): Promise<RootPlan> {
  if (request.kind === 'nomap' || request.kind === 'auto') {
    throw new RootlessError({
      code: 'HOST_NEEDS_CALLER',
      message: `cannot use --userns ${request.kind} with "host:"`,
      why: 'a container without your own id may not enter your folders',
      fix: 'rootless run host:, or an image',
    });
  }

  const { planHostRoot } = await import('./host-root.ts');
  return planHostRoot(folder, asideFolder(paths, id));
}

async function planCgroup(options: ContainerOptions, host: Host) {
  const { delegateCgroup } = await import('../cgroup/delegate.ts');
  const resources = toResources(options.limits);
  return { resources, path: await delegateCgroup(options.limits, host.uid) };
}

async function planNetwork(options: ContainerOptions, context: RunContext) {
  const { planNetwork: plan } = await import('../network/index.ts');
  return plan(options.ports, context.searchPath);
}

async function planVolumes(paths: Paths, folder: string, options: ContainerOptions, image: ImageDefaults): Promise<Record<string, string>> {
  const named = options.mounts.some((mount) => mount.kind === 'volume' || (mount.kind === 'bind' && mount.createSource));
  if (!named && (image.volumes.length === 0 || !options.readOnly)) return {};
  const { makeVolumes } = await import('./volumes.ts');
  return makeVolumes(paths, folder, options, image.volumes);
}
