/** What is asked of a container: one type for every front door (CLI, APIs, library), with every default in one place. */

import type { Limits } from '../cgroup/limits.ts';
import type { HostEntry } from '../network/dns.ts';
import type { PortRequest } from '../network/ports.ts';
import type { Mapping, UsernsRequest } from '../userns/choose.ts';

export type { HostEntry, Limits, Mapping, PortRequest, UsernsRequest };

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
  readonly interactive: boolean;
  readonly tty: boolean;
  readonly remove: boolean;
  readonly init: boolean;
  readonly readOnly: boolean;
  readonly privileged: boolean;
  readonly mounts: readonly MountRequest[];
  readonly devices: readonly DeviceRequest[];
  readonly hostname?: string | undefined;
  readonly addHosts: readonly HostEntry[];
  readonly network: 'host' | 'none' | 'private';
  readonly ports: readonly PortRequest[];
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly noNewPrivileges: boolean;
  /** `default`, `unconfined`, or the text of a profile (docker or OCI JSON). */
  readonly seccomp: { readonly kind: 'default' | 'unconfined' } | { readonly kind: 'profile'; readonly json: string };
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly sysctls: Readonly<Record<string, string>>;
  /** Bytes. */
  readonly shmSize: number;
  readonly limits: Limits;
  readonly userns: UsernsRequest;
  readonly stopSignal?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
};

export type MountRequest =
  | {
      readonly kind: 'bind';
      /** Absolute; existence is checked before launch. */
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      /** Extra mount options: `rshared`, `noexec`, … */
      readonly options: readonly string[];
      /** docker's `-v` makes a missing source folder, `--mount` refuses it. */
      readonly createSource: boolean;
    }
  | { readonly kind: 'volume'; readonly name?: string | undefined; readonly target: string; readonly readOnly: boolean }
  | { readonly kind: 'tmpfs'; readonly target: string; readonly options: readonly string[] };

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
  devices: [],
  addHosts: [],
  network: 'private',
  ports: [],
  capAdd: [],
  capDrop: [],
  noNewPrivileges: true,
  seccomp: { kind: 'default' },
  ulimits: [],
  sysctls: {},
  shmSize: 64 * 1024 * 1024,
  limits: {},
  userns: { kind: 'host' },
  labels: {},
};
