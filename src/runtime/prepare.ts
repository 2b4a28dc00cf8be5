/** The bundle of one launch, made from what the container was asked to be: config.json and monitor.json in its folder. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isLimited, toResources } from '../cgroup/limits.ts';
import { RootlessError } from '../errors.ts';
import type { Paths } from '../paths.ts';
import type { Host } from '../userns/host.ts';
import { containerAround } from '../userns/inside.ts';
import { type Base, defaultsOf } from './base.ts';
import { formatConfig, writeBundle } from './bundle.ts';
import { backMounts } from './container-mounts.ts';
import type { RunContext } from './context.ts';
import { sharedFiles, writeFiles } from './files.ts';
import { asideFolder } from './folders.ts';
import { withUser } from './mapping.ts';
import { opensCgroup } from './masks.ts';
import { monitorFile, writeMonitorFile } from './monitor-file.ts';
import type { LaunchNetwork } from './network.ts';
import type { OciConfig } from './oci.ts';
import type { ContainerOptions, Mapping, PortRequest } from './options.ts';
import type { ImageDefaults } from './process.ts';
import { type Layers, planRoot } from './root.ts';
import { chooseSeccomp } from './seccomp.ts';
import { buildSpec, type CgroupPlan, hostnameOf, type RootPlan } from './spec.ts';
import { chooseStorage } from './storage.ts';
import { isSystemd } from './systemd.ts';
import { checkConfig } from './validated.ts';

/** What is known before a launch, first or not. */
export type LaunchFacts = {
  readonly id: string;
  readonly name: string;
  readonly folder: string;
  readonly options: ContainerOptions;
  readonly base: Base;
  readonly mapping: Mapping;
  readonly layers: Layers;
  readonly host: Host;
  readonly labels: Readonly<Record<string, string>>;
  /** Its root filesystem was filled by an earlier launch. */
  readonly filled: boolean;
  readonly keepInput: boolean;
  /** It goes on without the caller. */
  readonly alone: boolean;
  readonly traces: readonly string[];
  /** Tells a helper that waits for the bundle what serves the network. */
  readonly serve?: ((companion: readonly string[]) => void) | undefined;
  /** Its network, where that was planned before the image was looked for. */
  readonly planned?: Promise<LaunchNetwork> | undefined;
};

export type LaunchPlan = { readonly config: OciConfig; readonly ports: readonly PortRequest[] };

/** @throws RootlessError whatever of it cannot be had here and now */
export async function prepareLaunch(facts: LaunchFacts, context: RunContext): Promise<LaunchPlan> {
  const { paths, signal } = context;
  const { id, folder, options, base, mapping, layers, host } = facts;
  const defaults = withUser(defaultsOf(base, paths), options, host);
  const network =
    options.network === 'host' || options.network === 'none' ? discarded(options, context) : await planNetwork(facts, defaults, context);
  const named = network.filesOf === undefined ? options : withHostname(options, network.filesOf);
  const cgroup = await planCgroup(facts, context);
  const seccomp = await chooseSeccomp(options, mapping.mode);
  const storage = base.kind === 'host' ? undefined : await chooseStorage(paths, mapping.idMap, context.searchPath, signal);
  const root = storage ? planRoot(folder, layers, storage, options.remove, facts.filled) : await planHost(paths, id, folder, options);
  const shared = network.filesOf === undefined ? [] : sharedFiles(network.filesOf);
  const config = buildSpec(possible(named, host, context), {
    id,
    image: defaults,
    mapping,
    root,
    files: [
      ...writeFiles(folder, hostnameOf(named, id), named, network.dns).map(
        (own) => shared.find(({ target }) => target === own.target) ?? own,
      ),
      ...(await ownFiles(facts, paths)),
    ],
    volumes: await backMounts({
      paths,
      id,
      folder,
      options,
      layers,
      mapping,
      user: options.user || defaults.user,
      resolving: context,
      dry: context.dryRun !== undefined,
    }),
    seccomp,
    network,
    cgroup,
  });
  // What was checked is remembered, so secrets come after that.
  await checkConfig(paths, id, formatConfig(config));
  const whole = withSockets(await withSecretVariables(config, options, paths), context);
  writeBundle(folder, formatConfig(whole));
  writeMonitorFile(
    folder,
    monitorFile(paths, options, {
      ...facts,
      imageId: idOf(base),
      defaults,
      notifySocket: context.notifySocket,
      notifyMode: context.notifyMode,
    }),
  );
  return { config: whole, ports: network.ports ?? [] };
}

/** Only root may make the kernel spare a process more than its parent: podman's answer is to take what can be had. */
function possible(options: ContainerOptions, host: Host, { notice }: RunContext): ContainerOptions {
  if (options.oomScoreAdj === undefined || host.uid === 0) return options;
  const least = Number(readFileSync('/proc/self/oom_score_adj', 'latin1'));
  if (options.oomScoreAdj >= least) return options;
  notice?.(`--oom-score-adj ${options.oomScoreAdj} is for root: it is ${least}`);
  return { ...options, oomScoreAdj: least };
}

export function idOf(base: Base): string | undefined {
  return base.kind === 'layers' ? base.id : undefined;
}

export const monitorPath = (folder: string): string => join(folder, 'monitor.json');

/** @throws RootlessError HOST_NEEDS_CALLER: this machine's folders are for users that the mapping has not */
async function planHost(paths: Paths, id: string, folder: string, { userns }: ContainerOptions): Promise<RootPlan> {
  if (userns.kind === 'nomap' || userns.kind === 'auto') {
    throw new RootlessError({
      code: 'HOST_NEEDS_CALLER',
      message: `cannot use --userns ${userns.kind} with "host:"`,
      why: 'a container without your own id may not enter your folders',
      fix: 'rootless run host:, or an image',
    });
  }
  const { planHostRoot } = await import('./host-root.ts');
  return planHostRoot(folder, asideFolder(paths, id));
}

/** Without limits a cgroup is good to have, to freeze and to measure, and never a reason to fail; a short run goes without. */
async function planCgroup({ id, options, host, alone }: LaunchFacts, context: RunContext): Promise<CgroupPlan | undefined> {
  const { limits, cgroupParent, cgroups = 'enabled' } = options;
  const limited = isLimited(limits);
  const must = limited || cgroupParent !== undefined || options.systemd === 'always' || cgroups === 'split';
  // Named, not with ALL: a container that is only to see more pays nothing for a cgroup.
  const asked = options.masks.unmask !== 'ALL' && !options.privileged && opensCgroup(options);
  if (!must && !alone && !asked && !isSystemd(options) && cgroups === 'enabled') return undefined;
  const [{ choosePlace }, { readText }] = await Promise.all([import('../cgroup/place.ts'), import('../cgroup/tree.ts')]);
  const known = parentOf(context);
  const around = () => containerAround({ exists: existsSync, read: readText, env: process.env, outer: host.outer.uid });
  const place = choosePlace({ limits, mode: cgroups, parent: cgroupParent, must, known, around }, process.env, host.uid);
  if (place === undefined) {
    if (isSystemd(options)) context.notice?.('systemd in the container will not start: there is no cgroup that it could divide');
    return undefined;
  }
  const { deviceNumber } = await import('../cgroup/devices.ts');
  return {
    path: place(id),
    resources: limited ? toResources(limits, deviceNumber) : {},
    writable: isSystemd(options),
    apart: cgroups === 'no-conmon',
  };
}

/** The program that started this one is ours too. */
function parentOf({ front }: RunContext): number[] {
  return front === undefined ? [] : [process.ppid];
}

async function planNetwork(facts: LaunchFacts, image: ImageDefaults, context: RunContext): Promise<LaunchNetwork> {
  if (facts.planned) return facts.planned;
  const { planAndServe } = await import('./network.ts');
  return planAndServe(facts, image, context, facts.serve);
}

/** docker's word for it, and what it does with -p. */
function discarded({ ports, network }: ContainerOptions, { notice }: RunContext): LaunchNetwork {
  if (ports.length > 0) notice?.(`published ports are discarded when using ${network} network mode`);
  return {};
}

/** docker's: who shares a network has the other one's host name. */
function withHostname(options: ContainerOptions, folder: string): ContainerOptions {
  const hostname = existsSync(join(folder, 'hostname')) ? readFileSync(join(folder, 'hostname'), 'utf8').trim() : undefined;
  return { ...options, ...(hostname ? { hostname } : {}) };
}

async function ownFiles({ folder, options, mapping }: LaunchFacts, paths: Paths) {
  if (options.secrets.length === 0 && options.timezone === undefined) return [];
  const { secretFiles } = await import('./secret-files.ts');
  const { timezoneFile } = await import('./timezone.ts');
  return [...timezoneFile(folder, options.timezone), ...(await secretFiles(paths, folder, options.secrets, mapping))];
}

/** Sockets of a service manager are for this launch alone, and for restarts of it. */
function withSockets(config: OciConfig, { preserve }: RunContext): OciConfig {
  if (preserve === undefined || preserve.sockets.length === 0) return config;
  return { ...config, process: { ...config.process, env: [...config.process.env, ...preserve.sockets] } };
}

async function withSecretVariables(config: OciConfig, options: ContainerOptions, paths: Paths): Promise<OciConfig> {
  if (!options.secrets.some((secret) => secret.as === 'env')) return config;
  const { secretVariables } = await import('./secret-files.ts');
  return { ...config, process: { ...config.process, env: [...config.process.env, ...secretVariables(paths, options.secrets)] } };
}
