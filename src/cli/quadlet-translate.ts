/** A .container or .network file (podman-systemd.unit(5)) → a unit of the user's systemd that runs it with rootless. Pure. */

import { basename, dirname, resolve } from 'node:path';
import { RootlessError } from '../errors.ts';
import { containerKeys, otherKeys } from './quadlet-keys.ts';
import { networkKeys, networkOrder, networkText, networkUnit, networkValue, otherNetworkKeys } from './quadlet-network.ts';
import { isTrue } from './quadlet-rules.ts';
import { formatUnit, parseUnit, quoteWord, splitWords, type UnitLine, type UnitSection, unitWord, valuesOf } from './systemd-text.ts';
import type { UnitEnvironment } from './unit-environment.ts';
import { unitVariable } from './generate-unit.ts';

export type Quadlet = {
  /** `web.service`. */
  readonly unit: string;
  readonly text: string;
  /** Names of links that systemd follows at boot: `default.target.wants/web.service`. */
  readonly links: readonly string[];
};

export const madeBy = '# made by "rootless quadlet" from';

/** @throws RootlessError UNIT_INVALID, QUADLET_UNSUPPORTED with the line of the file */
export function translate(text: string, path: string, environment: UnitEnvironment): Quadlet {
  const name = basename(path);
  if (name.endsWith('.network')) return translateNetwork(text, path, environment);
  const { program, variables } = environment;
  const stem = name.replace(/\.container$/, '');
  if (stem === name || !/^[a-zA-Z0-9:_.\\@-]+$/.test(stem)) {
    throw badName(name);
  }
  const sections = parseUnit(text, name);
  const container = linesOf(sections, 'Container');
  if (container.length === 0) throw invalid(name, 'there is no section [Container]');
  for (const line of container) checkKey(line, name);
  const service = linesOf(sections, 'Service');
  const install = linesOf(sections, 'Install');
  const unit = `${stem}.service`;
  const oneshot = valuesOf(service, 'Type').at(-1) === 'oneshot';
  return {
    unit,
    text: `${madeBy} ${path}\n\n${formatUnit([
      { name: 'Unit', lines: [...pairs(linesOf(sections, 'Unit')), ...networkOrder(container)] },
      ...others(sections),
      {
        name: 'Service',
        lines: [
          ...variables.map((variable) => ['Environment', unitVariable(variable)] as const),
          ...defaultsOf(service, oneshot),
          ...pairs(service),
          ['WorkingDirectory', dirname(path).replaceAll('%', '%%')] as const,
          ...commands(container, program, oneshot, dirname(path), name),
        ],
      },
      { name: 'Install', lines: pairs(install) },
    ])}`,
    links: linksOf(install, unit),
  };
}

/** A .network file: a unit that makes the network, before the containers that name it. */
function translateNetwork(text: string, path: string, { program, variables }: UnitEnvironment): Quadlet {
  const name = basename(path);
  const stem = name.replace(/\.network$/, '');
  if (!/^[a-zA-Z0-9:_.\\@-]+$/.test(stem)) throw badName(name);
  const sections = parseUnit(text, name);
  const lines = linesOf(sections, 'Network');
  for (const { key, value, line } of lines) {
    if (networkKeys[key] !== undefined || otherNetworkKeys.includes(key)) continue;
    throw unsupported(key, value, `${name}, line ${line}`, [...Object.keys(networkKeys), ...otherNetworkKeys]);
  }
  const environment = variables.map((variable) => ['Environment', unitVariable(variable)] as const);
  const unit = networkUnit(stem);
  return {
    unit,
    text: `${madeBy} ${path}\n\n${networkText({ stem, lines, sections, program, environment })}`,
    links: linksOf(linesOf(sections, 'Install'), unit),
  };
}

function badName(name: string): RootlessError {
  return new RootlessError({
    code: 'UNIT_NAME_INVALID',
    message: `"${name}" cannot be a unit`,
    fix: 'a name such as web.container or front.network',
  });
}

/** What podman sets, unless the file says something else. */
function defaultsOf(service: readonly UnitLine[], oneshot: boolean): (readonly [string, string])[] {
  const usual: readonly (readonly [string, string])[] = [
    ['Delegate', 'yes'],
    ['KillMode', 'mixed'],
    ['SyslogIdentifier', '%N'],
    ['SuccessExitStatus', '143 SIGTERM'],
    ...(oneshot
      ? []
      : ([
          ['Type', 'notify'],
          ['NotifyAccess', 'all'],
        ] as const)),
  ];
  return usual.filter(([key]) => !service.some((line) => line.key === key));
}

function commands(
  container: readonly UnitLine[],
  program: string,
  oneshot: boolean,
  folder: string,
  file: string,
): (readonly [string, string])[] {
  const last = (key: string) => valuesOf(container, key).at(-1);
  const image = last('Image') ?? (last('Rootfs') === undefined ? undefined : `rootfs:${last('Rootfs')}`);
  if (image === undefined) throw invalid(file, 'no Image= and no Rootfs= in [Container]');
  if (/\.(image|build)$/.test(image)) throw unsupported('Image', image, file);
  const user = last('User');
  const group = last('Group');
  if (group !== undefined && user === undefined) throw invalid(file, 'Group= needs User=');
  const notify = last('Notify') ?? '';
  const words = [
    'run',
    '--name',
    last('ContainerName') ?? 'systemd-%N',
    '--cidfile',
    '%t/%N.cid',
    '--replace',
    '--rm',
    '--sdnotify',
    notify === 'healthy' ? 'healthy' : isTrue(notify) ? 'container' : 'conmon',
    ...(oneshot ? [] : ['--detach']),
    ...(user === undefined ? [] : ['--user', group === undefined ? user : `${user}:${group}`]),
    ...flagsOf(container, folder, file),
    image,
    ...splitWords(last('Exec') ?? ''),
  ];
  const own = unitWord(program);
  return [
    ['ExecStartPre', '-/bin/rm -f %t/%N.cid'],
    // Specifiers and variables stay: the file was written for systemd.
    ['ExecStart', [own, ...words.map(quoteWord)].join(' ')],
    ['ExecStop', `${own} rm --volumes --force --ignore --time 10 --cidfile %t/%N.cid`],
    ['ExecStopPost', `-${own} rm --volumes --force --ignore --time 10 --cidfile %t/%N.cid`],
  ];
}

function flagsOf(container: readonly UnitLine[], folder: string, file: string): string[] {
  return Object.entries(containerKeys).flatMap(([key, rule]) =>
    valuesOf(container, key).flatMap((text) => rule(withPlace(key, text, folder, file))),
  );
}

/** `./data` stands beside the file; `data.volume` is the volume that podman would make for it. */
function withPlace(key: string, text: string, folder: string, file: string): string {
  if (key === 'Network' && /\.pod\b/.test(text)) throw unsupported(key, text, file);
  if (key === 'Network') return networkValue(text).value;
  if (key === 'EnvironmentFile') return text.startsWith('-') ? text.slice(1) : resolve(folder, text);
  if (key === 'SeccompProfile') return text === 'unconfined' ? text : resolve(folder, text);
  if (key !== 'Volume') return text;
  const [source = '', ...rest] = text.split(':');
  if (rest.length === 0) return text;
  const place = source.startsWith('.')
    ? resolve(folder, source)
    : source.endsWith('.volume')
      ? `systemd-${source.slice(0, -'.volume'.length)}`
      : source;
  return [place, ...rest].join(':');
}

function checkKey({ key, value, line }: UnitLine, file: string): void {
  if (containerKeys[key] === undefined && !otherKeys.includes(key)) throw unsupported(key, value, `${file}, line ${line}`);
  if (key === 'EnvironmentHost' && isTrue(value)) throw unsupported(key, value, `${file}, line ${line}`);
  if (key === 'GlobalArgs' && value !== '') throw unsupported(key, value, `${file}, line ${line}`);
}

/** Sections that systemd itself reads, and those that it is told to pass over (X-…). */
function others(sections: readonly UnitSection[]) {
  return sections
    .filter(({ name }) => !['Unit', 'Container', 'Service', 'Install', 'Quadlet'].includes(name))
    .map(({ name, lines }) => ({ name, lines: pairs(lines) }));
}

function linksOf(install: readonly UnitLine[], unit: string): string[] {
  const targets = (key: string, ending: string) =>
    valuesOf(install, key)
      .flatMap(splitWords)
      .map((target) => `${target}.${ending}/${unit}`);
  const aliases = valuesOf(install, 'Alias').flatMap(splitWords);
  const links = [...targets('WantedBy', 'wants'), ...targets('RequiredBy', 'requires'), ...aliases];
  const bad = links.find(
    (link) => !/^[a-zA-Z0-9:_.\\@-]+(\/[a-zA-Z0-9:_.\\@-]+)?$/.test(link) || link.split('/').some((part) => /^\.+$/.test(part)),
  );
  if (bad !== undefined) throw invalid(unit, `"${bad}" in [Install] is no unit`);
  return links;
}

function linesOf(sections: readonly UnitSection[], name: string): readonly UnitLine[] {
  return sections.filter((section) => section.name === name).flatMap(({ lines }) => lines);
}

function pairs(lines: readonly UnitLine[]): (readonly [string, string])[] {
  return lines.map(({ key, value }) => [key, value] as const);
}

function invalid(file: string, reason: string): RootlessError {
  return new RootlessError({ code: 'UNIT_INVALID', message: `"${file}": ${reason}`, fix: 'the format is that of podman-systemd.unit(5)' });
}

function unsupported(
  key: string,
  value: string,
  place: string,
  known: readonly string[] = [...Object.keys(containerKeys), ...otherKeys],
): RootlessError {
  return new RootlessError({
    code: 'QUADLET_UNSUPPORTED',
    message: `unsupported key "${key}" with "${value}" (${place})`,
    fix: `keys are ${known.toSorted().join(', ')}; other flags can be given in PodmanArgs=`,
  });
}
