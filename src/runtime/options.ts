/** What is asked of a container: one type for every front door (CLI, APIs, library), with every default in one place. */

import type { Limits } from '../cgroup/limits.ts';
import type { DnsRequest, HostEntry } from '../network/dns.ts';
import type { PortRequest } from '../network/ports.ts';
import type { Mapping, UsernsRequest } from '../userns/choose.ts';
import type { MapLine } from '../userns/lines.ts';
import type { Masks } from './masks.ts';

export type { DnsRequest, HostEntry, Limits, MapLine, Mapping, PortRequest, UsernsRequest };

export type ContainerOptions = {
  /** As typed: a reference, `oci:DIR[:TAG]`, `oci-archive:FILE`, `docker-archive:FILE`, `rootfs:DIR`, `host:`, `embedded:NAME`. */
  readonly image: string;
  /** Arguments after IMAGE; empty = the image's CMD. */
  readonly command: readonly string[];
  /** `undefined` = the image's; an empty list clears it (docker: `--entrypoint ""`). */
  readonly entrypoint?: readonly string[] | undefined;
  readonly name?: string | undefined;
  /** `K=V`, in order; host look-ups and env files are already resolved. */
  readonly env: readonly string[];
  readonly workdir?: string | undefined;
  /** `user[:group]`, names or numbers. */
  readonly user?: string | undefined;
  readonly groupAdd: readonly string[];
  /** The program has the supplementary groups of whoever starts it; those that are not mapped have no number that it could see. */
  readonly keepGroups?: true | undefined;
  readonly interactive: boolean;
  readonly tty: boolean;
  readonly remove: boolean;
  readonly init: boolean;
  readonly readOnly: boolean;
  readonly privileged: boolean;
  readonly mounts: readonly MountRequest[];
  readonly volumesFrom: readonly VolumesFrom[];
  readonly devices: readonly DeviceRequest[];
  readonly hostname?: string | undefined;
  readonly addHosts: readonly HostEntry[];
  /** Instead of what the host's resolv.conf says; containers of older versions have none. */
  readonly dns?: DnsRequest | undefined;
  /** The image's /etc/hosts stays. */
  readonly noHosts?: true | undefined;
  readonly domainname?: string | undefined;
  readonly network: NetworkMode;
  /** With `networks`: in the order of their interfaces. */
  readonly networks?: readonly NetworkRequest[] | undefined;
  /** It was private before it was connected: it keeps its way out whatever its networks are, and is private again after the last one. */
  readonly privateToo?: true | undefined;
  /** With `container` the name or id of the one whose network it shares, once the container exists its id; with `namespace` a path. */
  readonly networkOf?: string | undefined;
  /** Who carries the traffic of a private network, and what else it is told. */
  readonly uplink?: UplinkRequest | undefined;
  readonly ports: readonly PortRequest[];
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly noNewPrivileges: boolean;
  readonly masks: Masks;
  /** A Landlock domain: nothing outside of the container's root can be opened, and with `write` only that be written. */
  readonly landlock?: { readonly write?: readonly string[] } | undefined;
  /** `default`, `unconfined`, or the text of a profile (docker or OCI JSON). */
  readonly seccomp: { readonly kind: 'default' | 'unconfined' } | { readonly kind: 'profile'; readonly json: string };
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly sysctls: Readonly<Record<string, string>>;
  /** Bytes. */
  readonly shmSize: number;
  readonly limits: Limits;
  readonly userns: UsernsRequest;
  readonly stopSignal?: string | undefined;
  /** Seconds between the stop signal and SIGKILL; -1 = for ever, `undefined` = 10. */
  readonly stopTimeout?: number | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Added to config.json as they are. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly restart: RestartPolicy;
  readonly log: LogRequest;
  readonly health: HealthRequest;
  readonly secrets: readonly SecretRequest[];
  /** Ends the container after so many seconds; 0 = never. */
  readonly timeout: number;
  readonly umask?: number | undefined;
  /** A name of the time zone database, or `local`. */
  readonly timezone?: string | undefined;
  /** `80/tcp`, `8000-8010/udp`: what `publishAll` publishes beside the image's. */
  readonly expose: readonly string[];
  readonly publishAll: boolean;
  readonly oomScoreAdj?: number | undefined;
  readonly pidFile?: string | undefined;
  readonly monitorPidFile?: string | undefined;
  readonly sdnotify: 'conmon' | 'container' | 'healthy' | 'ignore';
  /** Ids of containers that are started first. */
  readonly requires: readonly string[];
  /** Its program is an init that divides its own cgroup; `found` is what `auto` becomes when it is. */
  readonly systemd?: 'auto' | 'always' | 'never' | 'found' | undefined;
  readonly cgroups?: 'enabled' | 'disabled' | 'no-conmon' | 'split' | undefined;
  /** A path in the tree, below our own cgroup, or the name of a slice. */
  readonly cgroupParent?: string | undefined;
  readonly cgroupns?: 'private' | 'host' | undefined;
};

export type NetworkMode = 'host' | 'none' | 'private' | 'networks' | 'container' | 'namespace';

/** A network that a container is on; addresses that are not named are chosen. */
export type NetworkRequest = {
  /** Name or id, once the container exists the name. */
  readonly network: string;
  /** Names that others on this network find it by, beside its own. */
  readonly aliases: readonly string[];
  readonly ip?: string | undefined;
  readonly ip6?: string | undefined;
  /** `02:42:0a:59:00:02`. */
  readonly mac?: string | undefined;
  /** `eth0`, … in order where none is named. */
  readonly interface?: string | undefined;
};

/** `--network pasta:--mtu,1500` and `slirp4netns:mtu=1500`. */
export type UplinkRequest = {
  readonly program: 'pasta' | 'slirp4netns';
  readonly options: readonly string[];
  readonly mac?: string | undefined;
};

/** `retries`: of `on-failure`, 0 = no limit. */
export type RestartPolicy = { readonly policy: 'no' | 'on-failure' | 'always' | 'unless-stopped'; readonly retries: number };

export type LogRequest = {
  readonly driver: 'json-file' | 'plain' | 'journald' | 'none';
  /** Bytes; 0 = no limit. */
  readonly maxSize: number;
  readonly maxFile: number;
  /** A template of docker's: `{{.Name}}/{{.ID}}`. */
  readonly tag?: string | undefined;
  /** Names of labels and variables that stand beside each line, and expressions that their names match. */
  readonly labels?: readonly string[] | undefined;
  readonly labelsRegex?: string | undefined;
  readonly env?: readonly string[] | undefined;
  readonly envRegex?: string | undefined;
  /** Instead of a file in the container's folder. */
  readonly path?: string | undefined;
  readonly whenFull: 'drop' | 'stop';
};

/** What is not said is the image's, and then docker's. Times in nanoseconds, 0 = not said. */
export type HealthRequest = {
  /** `[]`: the image's; `['NONE']`: none at all. */
  readonly test: readonly string[];
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
  readonly onFailure: 'none' | 'kill' | 'restart' | 'stop';
};

export type SecretRequest = {
  readonly name: string;
  readonly as: 'mount' | 'env';
  /** A path below /run/secrets or an absolute one; or the variable's name. */
  readonly target: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
};

export type MountRequest =
  | (Mounted & {
      readonly kind: 'bind';
      /** Absolute; existence is checked before launch. */
      readonly source: string;
      /** docker's `-v` makes a missing source folder, `--mount` refuses it. */
      readonly createSource: boolean;
    })
  | (Mounted & {
      readonly kind: 'volume';
      /** Without one a volume of its own is made; it has a name once the container exists. */
      readonly name?: string | undefined;
      /** Its name was made up for this container. */
      readonly anonymous?: true | undefined;
      /** Stays empty at its first use: nothing is copied from the image. */
      readonly noCopy?: true | undefined;
      /** For a volume that has to be made: its labels, and type, device and o of the driver `local`. */
      readonly labels?: Readonly<Record<string, string>> | undefined;
      readonly driverOptions?: Readonly<Record<string, string>> | undefined;
    })
  | (Mounted & { readonly kind: 'image'; readonly source: string })
  | {
      readonly kind: 'tmpfs';
      readonly target: string;
      readonly options: readonly string[];
      /** Another filesystem that begins empty. */
      readonly filesystem?: 'ramfs' | 'devpts' | undefined;
    };

type Mounted = {
  readonly target: string;
  readonly readOnly: boolean;
  /** Extra mount options: `rshared`, `noexec`, … */
  readonly options?: readonly string[] | undefined;
  /** Only this path of it; links in it never lead out. */
  readonly subpath?: string | undefined;
  /** All files of it are given to the container's user first (`:U`). */
  readonly chown?: true | undefined;
  /** What is written goes with the container, or into `upper` (`:O`). */
  readonly overlay?: { readonly upper?: string | undefined; readonly work?: string | undefined } | undefined;
};

/** `access` is that of each mount when nothing was said. */
export type VolumesFrom = { readonly container: string; readonly access?: 'ro' | 'rw' | undefined };

export type DeviceRequest = { readonly source: string; readonly target: string; readonly permissions: string };

/** docker's defaults; every front door starts from these. */
export const defaults: Omit<ContainerOptions, 'image'> = {
  command: [],
  env: [],
  groupAdd: [],
  interactive: false,
  tty: false,
  remove: false,
  init: false,
  readOnly: false,
  privileged: false,
  mounts: [],
  volumesFrom: [],
  devices: [],
  addHosts: [],
  network: 'private',
  ports: [],
  capAdd: [],
  capDrop: [],
  noNewPrivileges: true,
  masks: { mask: [], unmask: [] },
  seccomp: { kind: 'default' },
  ulimits: [],
  sysctls: {},
  shmSize: 64 * 1024 * 1024,
  limits: {},
  userns: { kind: 'host' },
  labels: {},
  annotations: {},
  restart: { policy: 'no', retries: 0 },
  log: { driver: 'json-file', maxSize: 0, maxFile: 1, whenFull: 'drop' },
  health: { test: [], interval: 0, timeout: 0, startPeriod: 0, startInterval: 0, retries: 0, onFailure: 'none' },
  secrets: [],
  timeout: 0,
  expose: [],
  publishAll: false,
  sdnotify: 'container',
  requires: [],
};
