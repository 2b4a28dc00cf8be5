/** `rootless info`: what this machine and user can do, found by looking and by trying. */

import { readFileSync } from 'node:fs';
import { availableParallelism, hostname, machine, release, totalmem } from 'node:os';
import manifest from '../../package.json' with { type: 'json' };
import { imageFacts } from '../image/facts.ts';
import { findPaths } from '../paths.ts';
import { findProgram, searchPath } from '../programs.ts';
import { type Listed, listContainers } from '../runtime/state.ts';
import { chooseStorage, type Storage } from '../runtime/storage.ts';
import { chooseMapping, type Mapping } from '../userns/choose.ts';
import { readHost } from '../userns/host.ts';
import { cgroupFacts } from './cgroup-facts.ts';
import { command } from './command.ts';
import { formatFlag, render } from './format.ts';
import { print } from './output.ts';

export default command({
  name: 'info',
  flags: { format: formatFlag },
  words: { usage: '', min: 0, max: 0 },
  examples: ["rootless info --format '{{.Driver}} {{.CgroupVersion}} {{.Ids.Mode}}'"],
  run: async ({ flags, env }) => {
    const facts = await gather(env);
    print(flags.format === undefined ? describe(facts) : render(flags.format, [facts], 'one'));
    return 0;
  },
});

type Facts = Awaited<ReturnType<typeof gather>>;

async function gather(env: NodeJS.ProcessEnv) {
  const paths = findPaths(env);
  const folders = searchPath(env);
  const host = readHost(folders);
  const mapping = chooseMapping({ kind: 'host' }, host);
  const storage = await chooseStorage(paths, mapping.idMap, folders);
  const containers = listContainers(paths);
  const cgroup = cgroupFacts();
  return {
    Version: manifest.version,
    Node: process.version,
    Kernel: release(),
    Architecture: machine(),
    User: { Name: host.name, Uid: host.uid, Gid: host.gid },
    Ids: {
      Mode: mapping.mode,
      Why: whyIds(mapping),
      Uids: total(mapping, 'uid'),
      Gids: total(mapping, 'gid'),
      Uid: mapping.idMap.uid,
      Gid: mapping.idMap.gid,
    },
    Storage: { Kind: storage.kind, Why: whyStorage(storage), Data: paths.data },
    Network: networkTool(folders),
    Cgroup: cgroup,
    ...counts(containers),
    Images: imageFacts(paths).length,
    Runtime: paths.runtime,
    Helper: paths.helper,
    // docker's names of what scripts ask for.
    ServerVersion: manifest.version,
    Driver: storage.kind === 'fuse' ? 'fuse-overlayfs' : storage.kind,
    DockerRootDir: paths.data,
    CgroupVersion: cgroup.Version === 'v2' ? '2' : '1',
    KernelVersion: release(),
    OperatingSystem: operatingSystem(),
    OSType: process.platform,
    Name: hostname(),
    NCPU: availableParallelism(),
    MemTotal: totalmem(),
  };
}

/** docker's: what restarts runs, and what neither runs nor is paused is stopped. */
export function counts(containers: readonly Pick<Listed, 'status'>[]) {
  const having = (wanted: Listed['status']) => containers.filter(({ status }) => status === wanted).length;
  const [running, paused] = [having('running') + having('restarting'), having('paused')];
  return {
    Containers: containers.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: containers.length - running - paused,
  };
}

/** PRETTY_NAME of os-release(5). */
function operatingSystem(): string {
  for (const path of ['/etc/os-release', '/usr/lib/os-release']) {
    try {
      const name = /^PRETTY_NAME=["']?(.*?)["']?$/m.exec(readFileSync(path, 'utf8'))?.[1];
      if (name !== undefined) return name;
    } catch {
      // The next one.
    }
  }
  return 'Linux';
}

function total({ idMap }: Mapping, kind: 'uid' | 'gid'): number {
  return idMap[kind].reduce((sum, { size }) => sum + size, 0);
}

function whyIds({ mode, notice, idMap }: Mapping): string {
  if (notice !== undefined) return notice;
  if (mode === 'direct') return 'CAP_SETUID is held, and no subordinate ids are needed';
  return idMap.newuidmap === undefined ? 'subordinate ids, written with CAP_SETUID' : 'subordinate ids through newuidmap';
}

function whyStorage(storage: Storage): string {
  if (storage.kind === 'overlay') return "the kernel's overlay works here";
  return storage.kind === 'fuse' ? `no overlay of the kernel here; ${storage.program} works` : 'no overlay works here: layers are copied';
}

function networkTool(folders: readonly string[]): { Tool: string; Path: string } {
  for (const name of ['pasta', 'slirp4netns']) {
    const path = findProgram(name, folders);
    if (path !== undefined) return { Tool: name, Path: path };
  }
  return { Tool: 'none', Path: '' };
}

function describe(facts: Facts): string {
  const { User, Ids, Storage, Network, Cgroup } = facts;
  const rows: readonly (readonly [string, string])[] = [
    ['rootless', `${facts.Version}, Node ${facts.Node}`],
    ['kernel', `${facts.Kernel}, ${process.arch}`],
    ['user', `${User.Name} (${User.Uid}:${User.Gid})`],
    ['ids', `${Ids.Mode}: ${amount(Ids.Uids)} user and ${amount(Ids.Gids)} group ids`],
    ['', Ids.Why],
    ['storage', `${Storage.Kind} in ${Storage.Data}`],
    ['', Storage.Why],
    ['network', Network.Tool === 'none' ? 'none: install passt for private networks' : `${Network.Tool} (${Network.Path})`],
    ['cgroups', Cgroup.Summary],
    ['containers', `${facts.Containers}, ${facts.ContainersRunning} running`],
    ['images', String(facts.Images)],
    ['runtime', facts.Runtime],
    ['helper', facts.Helper],
  ];
  return rows.map(([name, text]) => `${name.padEnd(12)}${text}\n`).join('');
}

/** All but the one that means "no id". */
function amount(ids: number): string {
  return ids >= 0xffff_fffe ? 'all' : String(ids);
}
