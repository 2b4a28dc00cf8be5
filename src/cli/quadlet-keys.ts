/** Keys of [Container] in a .container file (podman-systemd.unit(5)) and the flags of `rootless run` that they mean. Pure. */

import { isTrue, onOff, type Rule, value, when, words } from './quadlet-rules.ts';
import { splitWords } from './systemd-text.ts';

const option =
  (prefix: string): Rule =>
  (text) => ['--security-opt', `${prefix}${text}`];

/** In the order in which the flags are written. */
export const containerKeys: Readonly<Record<string, Rule>> = Object.assign(Object.create(null), {
  AddCapability: words('cap-add'),
  DropCapability: words('cap-drop'),
  AddDevice: (text: string) => ['--device', text.replace(/^-/, '')],
  AddHost: value('add-host'),
  Annotation: words('annotation'),
  DNS: value('dns'),
  DNSOption: value('dns-option'),
  DNSSearch: value('dns-search'),
  Entrypoint: value('entrypoint'),
  Environment: words('env'),
  EnvironmentFile: value('env-file'),
  ExposeHostPort: value('expose'),
  Group: () => [],
  GIDMap: value('gidmap'),
  GroupAdd: value('group-add'),
  HealthCmd: value('health-cmd'),
  HealthInterval: value('health-interval'),
  HealthOnFailure: value('health-on-failure'),
  HealthRetries: value('health-retries'),
  HealthStartPeriod: value('health-start-period'),
  HealthTimeout: value('health-timeout'),
  HostName: value('hostname'),
  IP: value('ip'),
  IP6: value('ip6'),
  Label: words('label'),
  LogDriver: value('log-driver'),
  LogOpt: value('log-opt'),
  Memory: value('memory'),
  Mount: value('mount'),
  Network: value('network'),
  NetworkAlias: value('network-alias'),
  NoNewPrivileges: (text: string) => (isTrue(text) ? ['--security-opt', 'no-new-privileges'] : []),
  PidsLimit: value('pids-limit'),
  PublishPort: value('publish'),
  Pull: value('pull'),
  ReadOnly: when('read-only'),
  RunInit: onOff('init'),
  SeccompProfile: option('seccomp='),
  Secret: value('secret'),
  SecurityLabelDisable: (text: string) => (isTrue(text) ? ['--security-opt', 'label=disable'] : []),
  ShmSize: value('shm-size'),
  SubGIDMap: value('subgidname'),
  SubUIDMap: value('subuidname'),
  StopSignal: value('stop-signal'),
  StopTimeout: value('stop-timeout'),
  Sysctl: words('sysctl'),
  Timezone: value('tz'),
  Tmpfs: value('tmpfs'),
  UIDMap: value('uidmap'),
  Ulimit: value('ulimit'),
  User: () => [],
  UserNS: value('userns'),
  Volume: value('volume'),
  WorkingDir: value('workdir'),
  // The last words before the image: whatever `run` can do and no key says.
  PodmanArgs: (text: string) => splitWords(text),
});

/** Read elsewhere, or about what does not change the container. */
export const otherKeys: readonly string[] = [
  'AutoUpdate',
  'ContainerName',
  'EnvironmentHost',
  'Exec',
  'GlobalArgs',
  'Image',
  'Notify',
  'Rootfs',
];
