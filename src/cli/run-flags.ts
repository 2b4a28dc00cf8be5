/** The flags of `rootless run`: docker's names, letters and value syntax. */

import { parseStream, streams } from './values/streams.ts';
import { parsePlatform } from '../image/platform.ts';
import { checkName } from '../runtime/ids.ts';
import type { Flags } from './flags.ts';
import { lifeFlags } from './life-flags.ts';
import { cgroupFlags, limitFlags } from './limit-flags.ts';
import { parseBytes } from './values/bytes.ts';
import { parseExpose, parseOomScore } from './values/ids.ts';
import { parseKeys } from './values/keys.ts';
import { parseDns, parseDnsOption, parseDnsSearch } from './values/dns.ts';
import { parseDevice } from './values/device.ts';
import { parseEnv, parseLabel } from './values/env.ts';
import { parseMount } from './values/mount.ts';
import { parseHostEntry, parseHostname, parseSignal, parseSysctl, parseUser } from './values/names.ts';
import { parseAlias, parseIp4, parseIp6, parseMac, parseNetwork } from './values/network.ts';
import { parseWorkdir } from './values/path.ts';
import { parsePort } from './values/port.ts';
import { parsePull } from './values/pull.ts';
import { parseCapability, parseSecurity } from './values/security.ts';
import { parseTmpfs } from './values/tmpfs.ts';
import { parseUlimit } from './values/ulimit.ts';
import { parseIdLine, parseUserns } from './values/userns.ts';
import { parseVolume } from './values/volume.ts';
import { parseVolumesFrom } from './values/volumes-from.ts';

const container = 'Container';
const program = 'Program';
const files = 'Files';
const network = 'Network';
const isolation = 'Isolation';
const limits = 'Limits';
const image = 'Image';

const signals = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGKILL', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'];

/** Of `create` too. */
export const createFlags = {
  rm: { type: 'boolean', group: container, description: 'remove the container when it exits' },
  name: { type: 'string', group: container, valueHint: 'NAME', parse: checkName, description: 'name of the container' },
  label: {
    type: 'string',
    alias: 'l',
    group: container,
    valueHint: 'KEY[=VALUE]',
    repeat: true,
    parse: parseLabel,
    description: 'attach a label',
  },
  'label-file': {
    type: 'string',
    group: container,
    valueHint: 'FILE',
    repeat: true,
    description: 'attach the labels in FILE',
  },
  cidfile: { type: 'string', group: container, valueHint: 'FILE', description: 'write the container id to a new FILE' },

  interactive: { type: 'boolean', alias: 'i', group: program, description: 'connect standard input' },
  tty: { type: 'boolean', alias: 't', group: program, description: 'give it a terminal' },
  env: {
    type: 'string',
    alias: 'e',
    group: program,
    valueHint: 'NAME[=VALUE]',
    repeat: true,
    parse: parseEnv,
    description: "set a variable; NAME alone copies the host's",
  },
  'env-file': { type: 'string', group: program, valueHint: 'FILE', repeat: true, description: 'set the variables in FILE' },
  workdir: {
    type: 'string',
    alias: 'w',
    group: program,
    valueHint: 'DIR',
    parse: parseWorkdir,
    description: 'start in this folder',
  },
  user: {
    type: 'string',
    alias: 'u',
    group: program,
    valueHint: 'USER[:GROUP]',
    parse: parseUser,
    description: 'run as this user of the image',
  },
  'group-add': { type: 'string', group: program, valueHint: 'GROUP', repeat: true, description: 'add a supplementary group' },
  entrypoint: { type: 'string', group: program, valueHint: 'PROGRAM', description: 'replace the entrypoint; "" clears it' },
  init: { type: 'boolean', group: program, description: 'a small init as pid 1 forwards signals and reaps' },
  'stop-signal': {
    type: 'string',
    group: program,
    valueHint: 'SIGNAL',
    parse: parseSignal,
    choices: signals,
    description: 'signal that stops it (default SIGTERM)',
  },

  volume: {
    type: 'string',
    alias: 'v',
    group: files,
    valueHint: '[SRC:]DST[:ro]',
    repeat: true,
    parse: parseVolume,
    description: 'mount a host path or named volume',
  },
  'volumes-from': {
    type: 'string',
    group: files,
    valueHint: 'CONTAINER[:ro]',
    repeat: true,
    parse: parseVolumesFrom,
    description: "mount another container's volumes",
  },
  mount: {
    type: 'string',
    group: files,
    valueHint: 'KEY=VALUE,...',
    repeat: true,
    parse: parseMount,
    description: 'type=bind|volume|tmpfs|image,src=S,dst=D,ro',
  },
  tmpfs: {
    type: 'string',
    group: files,
    valueHint: 'DST[:OPTIONS]',
    repeat: true,
    parse: parseTmpfs,
    description: 'mount an empty tmpfs',
  },
  device: {
    type: 'string',
    group: files,
    valueHint: 'SRC[:DST][:rwm]',
    repeat: true,
    parse: parseDevice,
    description: 'give it a device of the host',
  },
  'read-only': { type: 'boolean', group: files, description: 'mount the root filesystem read-only' },
  'shm-size': {
    type: 'string',
    group: files,
    valueHint: 'SIZE',
    parse: parseBytes,
    description: 'size of /dev/shm (default 64m)',
  },

  network: {
    type: 'string',
    group: network,
    valueHint: 'NETWORK',
    repeat: true,
    parse: parseNetwork,
    choices: ['private', 'host', 'none', 'container:', 'ns:', 'pasta', 'slirp4netns'],
    complete: 'network',
    description: 'NAME, private (the default), host, none, container:NAME',
  },
  net: {
    type: 'string',
    group: network,
    valueHint: 'NETWORK',
    repeat: true,
    parse: parseNetwork,
    hidden: true,
    description: 'older name of --network',
  },
  'network-alias': {
    type: 'string',
    group: network,
    valueHint: 'NAME',
    repeat: true,
    parse: parseAlias,
    description: 'one more name that others on its networks find it by',
  },
  'net-alias': {
    type: 'string',
    group: network,
    valueHint: 'NAME',
    repeat: true,
    parse: parseAlias,
    hidden: true,
    description: 'older name of --network-alias',
  },
  ip: { type: 'string', group: network, valueHint: 'IP', parse: parseIp4, description: 'its IPv4 address on its network' },
  ip6: { type: 'string', group: network, valueHint: 'IP', parse: parseIp6, description: 'its IPv6 address on its network' },
  'mac-address': { type: 'string', group: network, valueHint: 'MAC', parse: parseMac, description: 'its hardware address' },
  publish: {
    type: 'string',
    alias: 'p',
    group: network,
    valueHint: '[HOST:]PORT',
    repeat: true,
    parse: parsePort,
    description: 'publish a port: 8080:80, 127.0.0.1:53:53/udp',
  },
  'publish-all': {
    type: 'boolean',
    alias: 'P',
    group: network,
    description: 'publish all ports that it exposes on free ports',
  },
  expose: {
    type: 'string',
    group: network,
    valueHint: 'PORT',
    repeat: true,
    parse: parseExpose,
    description: 'a port that it listens on: 80, 53/udp',
  },
  hostname: {
    type: 'string',
    alias: 'h',
    group: network,
    valueHint: 'NAME',
    parse: parseHostname,
    description: 'host name inside (default: the id)',
  },
  'add-host': {
    type: 'string',
    group: network,
    valueHint: 'NAME:IP',
    repeat: true,
    parse: parseHostEntry,
    description: 'add to /etc/hosts; host-gateway is this machine',
  },
  'no-hosts': { type: 'boolean', group: network, description: "keep the image's /etc/hosts" },
  domainname: { type: 'string', group: network, valueHint: 'NAME', parse: parseHostname, description: 'NIS domain name inside' },
  dns: {
    type: 'string',
    group: network,
    valueHint: 'IP',
    repeat: true,
    parse: parseDns,
    description: "name server that it asks; none: the image's resolv.conf",
  },
  'dns-search': {
    type: 'string',
    group: network,
    valueHint: 'DOMAIN',
    repeat: true,
    parse: parseDnsSearch,
    description: 'domain in which short names are looked up; "." is none',
  },
  'dns-option': {
    type: 'string',
    group: network,
    valueHint: 'OPTION',
    repeat: true,
    parse: parseDnsOption,
    description: 'option of its resolv.conf: ndots:2, timeout:1',
  },
  'dns-opt': {
    type: 'string',
    group: network,
    valueHint: 'OPTION',
    repeat: true,
    parse: parseDnsOption,
    hidden: true,
    description: 'older name of --dns-option',
  },

  userns: {
    type: 'string',
    group: isolation,
    valueHint: 'MODE',
    parse: parseUserns,
    choices: ['host', 'keep-id', 'nomap', 'auto'],
    description: 'ids: host (the default), keep-id, nomap or auto',
  },
  uidmap: {
    type: 'string',
    group: isolation,
    valueHint: 'CONTAINER:FROM[:SIZE]',
    repeat: true,
    parse: parseIdLine,
    description: 'user ids line by line: FROM 0 is you, 1 your first subordinate id, @ID an id of the host; + before it keeps the others',
  },
  gidmap: {
    type: 'string',
    group: isolation,
    valueHint: 'CONTAINER:FROM[:SIZE]',
    repeat: true,
    parse: parseIdLine,
    description: 'the same for groups; without it they follow --uidmap',
  },
  subuidname: {
    type: 'string',
    group: isolation,
    valueHint: 'NAME',
    description: 'user ids of this name in /etc/subuid',
  },
  subgidname: {
    type: 'string',
    group: isolation,
    valueHint: 'NAME',
    description: 'group ids of this name in /etc/subgid; without it the one of --subuidname',
  },
  'cap-add': {
    type: 'string',
    group: isolation,
    valueHint: 'CAP',
    repeat: true,
    parse: parseCapability,
    description: 'add a capability',
  },
  'cap-drop': {
    type: 'string',
    group: isolation,
    valueHint: 'CAP',
    repeat: true,
    parse: parseCapability,
    description: 'drop a capability, or ALL',
  },
  'security-opt': {
    type: 'string',
    group: isolation,
    valueHint: 'OPTION',
    repeat: true,
    parse: parseSecurity,
    choices: ['no-new-privileges', 'no-new-privileges=false', 'seccomp=unconfined', 'systempaths=unconfined', 'unmask=ALL', 'landlock'],
    description: 'seccomp=FILE|unconfined, no-new-privileges, mask=PATH, unmask=PATH|ALL, landlock[=WRITABLE]',
  },
  sysctl: {
    type: 'string',
    group: isolation,
    valueHint: 'KEY=VALUE',
    repeat: true,
    parse: parseSysctl,
    description: 'set a kernel parameter of its namespaces',
  },
  privileged: { type: 'boolean', group: isolation, description: 'all capabilities, no filter, nothing masked' },

  ...limitFlags,
  ...cgroupFlags,
  'oom-score-adj': {
    type: 'string',
    group: limits,
    valueHint: 'NUMBER',
    parse: parseOomScore,
    description: 'how gladly the kernel kills it (-1000 to 1000)',
  },
  ulimit: {
    type: 'string',
    group: limits,
    valueHint: 'NAME=LIMIT',
    repeat: true,
    parse: parseUlimit,
    description: 'limit a resource: nofile=1024:4096',
  },

  pull: {
    type: 'string',
    group: image,
    valueHint: 'WHEN',
    parse: parsePull,
    choices: ['always', 'missing', 'never'],
    description: 'always, missing (the default) or never',
  },
  platform: {
    type: 'string',
    group: image,
    valueHint: 'PLATFORM',
    parse: parsePlatform,
    choices: ['linux/amd64', 'linux/arm64'],
    description: 'OS/ARCH[/VARIANT] to take of it',
  },
  'disable-content-trust': { type: 'boolean', default: true, hidden: true, description: 'no signature is looked at: nothing changes' },
  quiet: { type: 'boolean', alias: 'q', group: image, description: 'show no progress' },
  'tls-verify': {
    type: 'boolean',
    group: image,
    default: true,
    description: 'check certificates; =false allows http too',
  },
  ...lifeFlags,
} as const satisfies Flags;

export const runFlags = {
  detach: { type: 'boolean', alias: 'd', group: container, description: 'leave it running in the background, print its id' },
  attach: {
    type: 'string',
    alias: 'a',
    group: container,
    valueHint: 'STREAM',
    repeat: true,
    parse: parseStream,
    choices: streams,
    description: 'share only stdin, stdout or stderr; what it writes elsewhere is in its log alone',
  },
  ...createFlags,
  'detach-keys': {
    type: 'string',
    group: container,
    valueHint: 'KEYS',
    parse: parseKeys,
    description: 'keys that leave it running (default ctrl-p,ctrl-q)',
  },
  'sig-proxy': { type: 'boolean', group: container, default: true, description: 'pass signals on to it; =false leaves it running' },
  'preserve-fds': {
    type: 'string',
    group: program,
    valueHint: 'N',
    description: 'descriptors 3 to 2+N are its too; so are the sockets of LISTEN_FDS',
  },
  'dry-run': { type: 'boolean', group: container, description: 'print the config.json and start nothing' },
} as const satisfies Flags;
