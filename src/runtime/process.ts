/** The container's first process: command, environment, folder, limits. docker's rules for image and flags. Pure. */

import { RootlessError } from '../errors.ts';
import type { Healthcheck } from '../image/config.ts';
import { capabilitySets, chooseCapabilities } from './capabilities.ts';
import type { OciProcess } from './oci.ts';
import type { ContainerOptions } from './options.ts';

/** What of an image's configuration matters to a launch. */
export type ImageDefaults = {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  /** `user[:group]`; empty = root. */
  readonly user: string;
  /** Empty = `/`. */
  readonly workingDir: string;
  readonly volumes: readonly string[];
  readonly stopSignal: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly healthcheck?: Healthcheck | undefined;
  /** `80/tcp`, … */
  readonly exposedPorts?: readonly string[];
};

/** docker's, whatever the caller has. */
const usualUmask = 0o022;

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** @throws RootlessError COMMAND_MISSING, CAPABILITY_UNKNOWN, ULIMIT_UNKNOWN */
export function buildProcess(options: ContainerOptions, image: ImageDefaults, hostname: string): OciProcess {
  const groups = splitGroups(options.groupAdd).ids;
  return {
    terminal: options.tty,
    user: { uid: 0, gid: 0, umask: options.umask ?? usualUmask, ...(groups.length > 0 ? { additionalGids: groups } : {}) },
    args: chooseCommand(options, image),
    env: mergeEnv(image.env, options.env, hostname, options.tty),
    cwd: options.workdir ?? (image.workingDir || '/'),
    capabilities: capabilitySets(chooseCapabilities(options.capAdd, options.capDrop, options.privileged)),
    rlimits: options.ulimits.map(({ name, soft, hard }) => ({ type: rlimitType(name), soft: limitValue(soft), hard: limitValue(hard) })),
    noNewPrivileges: options.noNewPrivileges && !options.privileged,
    ...(options.oomScoreAdj === undefined ? {} : { oomScoreAdj: options.oomScoreAdj }),
  };
}

/** An entrypoint that was given also drops the image's CMD: docker's rule. */
export function chooseCommand(options: Pick<ContainerOptions, 'entrypoint' | 'command' | 'image'>, image: ImageDefaults): string[] {
  const entrypoint = options.entrypoint ?? image.entrypoint;
  const inherited = options.entrypoint === undefined ? image.cmd : [];
  const args = [...entrypoint, ...(options.command.length > 0 ? options.command : inherited)];
  if (args.length > 0) return args;
  throw new RootlessError({
    code: 'COMMAND_MISSING',
    message: `no command: image "${options.image}" names none`,
    fix: `rootless run ${options.image} COMMAND`,
  });
}

/** Later values replace earlier ones in place. HOME is the helper's: it alone reads the container's /etc/passwd. */
export function mergeEnv(image: readonly string[], asked: readonly string[], hostname: string, tty: boolean): string[] {
  const merged = new Map<string, string>();
  for (const entry of [defaultPath, `HOSTNAME=${hostname}`, ...(tty ? ['TERM=xterm'] : []), ...image, ...asked]) {
    merged.set(entry.split('=', 1)[0] ?? '', entry);
  }
  return [...merged.values()];
}

const rlimits = [
  'AS',
  'CORE',
  'CPU',
  'DATA',
  'FSIZE',
  'LOCKS',
  'MEMLOCK',
  'MSGQUEUE',
  'NICE',
  'NOFILE',
  'NPROC',
  'RSS',
  'RTPRIO',
  'RTTIME',
  'SIGPENDING',
  'STACK',
];

function rlimitType(name: string): string {
  const upper = name.toUpperCase().replace(/^RLIMIT_/, '');
  if (rlimits.includes(upper)) return `RLIMIT_${upper}`;
  throw new RootlessError({
    code: 'ULIMIT_UNKNOWN',
    message: `unknown ulimit "${name}"`,
    why: `it is none of ${rlimits.join(' ').toLowerCase()}`,
  });
}

/** -1 is docker's "unlimited". RLIM_INFINITY is 2^64-1, which JSON numbers lose: config.json gets it as text (see bundle.ts). */
function limitValue(value: number): number {
  return value < 0 ? Number.POSITIVE_INFINITY : value;
}

/** Numbers go into the standard's list; names are looked up in the container, where they mean something. */
export function splitGroups(groups: readonly string[]): { readonly ids: number[]; readonly names: string[] } {
  const isNumber = (text: string) => /^\d+$/.test(text) && Number(text) < 0xffff_ffff;
  return { ids: groups.filter(isNumber).map(Number), names: groups.filter((text) => !isNumber(text)) };
}
