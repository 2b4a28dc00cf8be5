/** `--filter` of containers: docker's keys and their meaning, and podman's that go further. */

import type { Paths } from '../paths.ts';
import { exposedBy } from './container-images.ts';
import { exposedPorts } from './container-ports.ts';
import { findContainer, type Listed, type Status } from '../runtime/state.ts';
import { BadValue } from './values/bad.ts';
import { type Filter, filterParser, glob, hasLabel, passes } from './values/filter.ts';
import { networkMode } from './values/network.ts';
import { parseTime } from './values/time.ts';

const states: readonly Status[] = ['created', 'running', 'paused', 'restarting', 'exited', 'dead'];
const healths = ['starting', 'healthy', 'unhealthy', 'none'];

const keys = [
  'ancestor',
  'before',
  'command',
  'exited',
  'expose',
  'health',
  'id',
  'label',
  'label!',
  'name',
  'network',
  'publish',
  'restart-policy',
  'since',
  'status',
  'until',
  'volume',
];
const parse = filterParser(keys);

export const containerFilterFlag = {
  type: 'string',
  alias: 'f',
  valueHint: 'KEY=VALUE',
  repeat: true,
  parse: parseContainerFilter,
  choices: [...states.map((state) => `status=${state}`), ...keys.filter((key) => key !== 'status').map((key) => `${key}=`)],
  description: 'only some: name=, status=, label=, ancestor=, volume=, …',
} as const;

/** @throws BadValue */
export function parseContainerFilter(text: string): Filter {
  const filter = parse(text.replace(/^(label)!=/, '$1!='));
  const { key, value } = filter;
  const bad = (fix: string) => new BadValue(`invalid filter '${key}=${value}'`, { fix });
  if (key === 'status' && !states.some((state) => state === value)) throw bad(`states are ${states.join(', ')}`);
  if (key === 'health' && !healths.includes(value)) throw bad(`health is ${healths.join(', ')}`);
  if (key === 'exited' && !/^-?\d+$/.test(value)) throw bad('an exit code: exited=0');
  if ((key === 'publish' || key === 'expose') && !/^\d{1,5}(-\d{1,5})?(\/(tcp|udp|sctp))?$/.test(value))
    throw bad('a port: 80, 80/udp, 8000-8010');
  if (key === 'until') parseTime(value);
  return filter;
}

export type FilterFacts = {
  readonly paths: Paths;
  readonly now: number;
  /** Whether its image is, or is made from, the named one. */
  readonly isMadeFrom: (container: Listed, image: string) => boolean;
};

/** @throws RootlessError CONTAINER_NOT_FOUND: before=, since= */
export function containerFilter(filters: readonly Filter[], facts: FilterFacts): (container: Listed) => boolean {
  const { paths, now } = facts;
  const times = new Map(
    filters.filter(({ key }) => key === 'before' || key === 'since').map(({ value }) => [value, findContainer(paths, value).created]),
  );
  const ports = filters.filter(({ key }) => key === 'publish' || key === 'expose');
  const others = filters.filter((filter) => !ports.includes(filter));
  return (container) => {
    // docker: a port that is published or one that is exposed.
    if (ports.length > 0 && !ports.some(({ key, value }) => hasPort(container, key, value))) return false;
    return passes(others, (key, value) => {
      if (key === 'before') return container.created < (times.get(value) ?? '');
      if (key === 'since') return container.created > (times.get(value) ?? '');
      if (key === 'until') return Date.parse(container.created) < parseTime(value, now);
      if (key === 'ancestor') return isNamed(container, value) || facts.isMadeFrom(container, value);
      return matches(container, key, value);
    });
  };
}

function matches(container: Listed, key: string, value: string): boolean {
  switch (key) {
    case 'id':
      return container.id.startsWith(value) || fits(value, container.id);
    case 'name':
      return fits(value, container.name) || fits(value, `/${container.name}`);
    case 'status':
      return container.status === value;
    case 'exited':
      return container.exit?.code === Number(value) && container.status === 'exited';
    case 'health':
      return (container.status === 'running' ? (container.life?.health?.status ?? 'none') : 'none') === value;
    case 'label':
      return hasLabel(container.labels, value);
    case 'label!':
      return !hasLabel(container.labels, value);
    case 'command':
      return container.command[0] === value;
    case 'restart-policy':
      return container.options.restart.policy === value;
    case 'network':
      return isOn(container, value);
    default:
      return container.options.mounts.some(
        (mount) => mount.target === value || ('name' in mount && mount.name === value) || ('source' in mount && mount.source === value),
      );
  }
}

/** docker's: a regular expression anywhere in the text. */
function fits(pattern: string, text: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(text);
  } catch {
    return text.includes(pattern);
  }
}

/** By the name of a network, the beginning of its id, or docker's and podman's words for a mode. */
function isOn({ network, options }: Listed, value: string): boolean {
  if (options.network !== 'networks') return network === value || options.network === networkMode(value);
  return (options.networks ?? []).some((one) => one.network === value);
}

function hasPort(container: Listed, key: string, value: string): boolean {
  const wanted = new Set(exposedPorts([value.includes('/') ? value : `${value}/tcp`]));
  const { ports, options } = container;
  if (key === 'publish') return ports.some(({ hostPort, protocol }) => wanted.has(`${hostPort}/${protocol}`));
  const inside = [
    ...ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`),
    ...options.expose,
    ...exposedBy(container),
  ];
  return exposedPorts(inside).some((port) => wanted.has(port));
}

/** By what was typed: the image may be gone, or never was in the store (`host:`, `rootfs:`). */
function isNamed({ image, imageId }: Listed, value: string): boolean {
  if (image === value || imageId === value || withoutTag(image) === value) return true;
  return value.includes('*') && glob(value).test(image);
}

function withoutTag(image: string): string {
  return image.replace(/(@.*|:[^:/]*)$/, '');
}
