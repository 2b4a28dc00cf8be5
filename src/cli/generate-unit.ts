/** The unit that `generate systemd` makes of a container. Pure. */

import { RootlessError } from '../errors.ts';
import type { ContainerOptions } from '../runtime/options.ts';
import type { Listed } from '../runtime/state.ts';
import { parseFlags } from './flags.ts';
import { runFlags } from './run-flags.ts';
import { formatUnit, quoteWord, unitWord } from './systemd-text.ts';
import type { UnitEnvironment } from './unit-environment.ts';

export type UnitWish = {
  /** Without `.service`. */
  readonly unit: string;
  /** The unit makes a new container each time. */
  readonly fresh: boolean;
  /** By name instead of by id. */
  readonly byName: boolean;
  readonly restart: string;
  readonly restartSeconds: number | undefined;
  readonly startTimeout: number | undefined;
  readonly stopTimeout: number | undefined;
  readonly after: readonly string[];
  readonly wants: readonly string[];
  readonly requires: readonly string[];
  readonly environment: readonly string[];
};

/** Seconds that systemd waits longer than the container's stop may take. */
const grace = 60;

/** @throws RootlessError UNIT_NEEDS_LINE: it was not asked for on a command line that could be repeated */
export function unitOf(container: Listed, wish: UnitWish, { program, variables }: UnitEnvironment, data: string): string {
  const stop = wish.stopTimeout ?? container.options.stopTimeout ?? 10;
  const commands = wish.fresh ? freshCommands(container, program, stop) : keptCommands(container, wish, program, stop);
  const targets = ['network-online.target'];
  return formatUnit([
    {
      name: 'Unit',
      lines: [
        ['Description', `container ${container.name}`.replaceAll('%', '%%')],
        ['Wants', [...targets, ...wish.wants].join(' ')],
        ['After', [...targets, ...wish.after].join(' ')],
        ...(wish.requires.length > 0 ? ([['Requires', wish.requires.join(' ')]] as const) : []),
        ['RequiresMountsFor', unitWord(data)],
      ],
    },
    {
      name: 'Service',
      lines: [
        ...[...variables, ...wish.environment].map((variable) => ['Environment', unitVariable(variable)] as const),
        ['Restart', wish.restart],
        ...(wish.restartSeconds === undefined ? [] : ([['RestartSec', String(wish.restartSeconds)]] as const)),
        ...(wish.startTimeout === undefined ? [] : ([['TimeoutStartSec', String(wish.startTimeout)]] as const)),
        ['TimeoutStopSec', stop < 0 ? 'infinity' : String(stop + grace)],
        // The container's cgroup is made below the unit's.
        ['Delegate', 'yes'],
        ['KillMode', 'mixed'],
        ['Type', 'notify'],
        ['NotifyAccess', 'all'],
        // What a program that was asked to end usually ends with.
        ['SuccessExitStatus', '143 SIGTERM'],
        ...commands,
      ],
    },
    { name: 'Install', lines: [['WantedBy', 'default.target']] },
  ]);
}

/** Who tells systemd: the program or its health check where that was asked for, else the monitor. */
function notifier({ options, line }: Listed): ContainerOptions['sdnotify'] {
  if (options.sdnotify === 'healthy') return 'healthy';
  const typed = line === undefined ? [] : parseFlags('run', runFlags, line.words, true).typed;
  // The program is the default, and hardly ever knows how.
  return options.sdnotify === 'container' && typed.some(({ name }) => name === 'sdnotify') ? 'container' : 'conmon';
}

type Lines = readonly (readonly [string, string])[];

/** `$` is no variable in Environment=, `%` is a specifier. */
export function unitVariable(text: string): string {
  return quoteWord(text.replaceAll('%', '%%'));
}

function keptCommands(container: Listed, wish: UnitWish, program: string, stop: number): Lines {
  const name = wish.byName ? container.name : container.id;
  const line = (...words: string[]) => [program, ...words].map(unitWord).join(' ');
  return [
    ['ExecStart', line('start', '--sdnotify', notifier(container), name)],
    ['ExecStop', line('stop', '--time', String(stop), name)],
    ['ExecStopPost', line('stop', '--ignore', '--time', String(stop), name)],
  ];
}

function freshCommands(container: Listed, program: string, stop: number): Lines {
  const { line, name } = container;
  if (line === undefined) {
    throw new RootlessError({
      code: 'UNIT_NEEDS_LINE',
      message: `cannot make a unit with --new for container "${name}"`,
      why: 'it was not made by "rootless run" or "rootless create", so there is no line to repeat',
      fix: `rootless generate systemd ${name}`,
    });
  }
  const idFile = '%t/%n.ctr-id';
  const ours = ['--cidfile', idFile, '--detach', '--replace', '--rm', '--sdnotify', notifier(container)];
  const words = repeatable(line.words, name, container.options.env);
  const flags = [...ours.map(quoteWord), ...words.map(unitWord)];
  return [
    ['WorkingDirectory', `-${line.folder.replaceAll('%', '%%')}`],
    ['ExecStartPre', `/bin/rm -f ${idFile}`],
    ['ExecStart', [unitWord(program), 'run', ...flags].join(' ')],
    ['ExecStop', `${unitWord(program)} stop --ignore --time ${stop} --cidfile ${idFile}`],
    ['ExecStopPost', `${unitWord(program)} rm --force --ignore --cidfile ${idFile}`],
  ];
}

/** What the unit says itself is left out; the name is kept, so that --replace finds the one before. */
const replaced = new Set(['cidfile', 'debug', 'detach', 'detach-keys', 'dry-run', 'name', 'quiet', 'replace', 'restart', 'rm', 'sdnotify']);

/**
 * The words of `run` once more. Each flag is written out by its whole name, so that none of `-dit` is lost or kept by mistake; a
 * variable that was copied from the caller's environment gets its value.
 */
export function repeatable(words: readonly string[], name: string, env: readonly string[]): string[] {
  const { typed, args } = parseFlags('run', runFlags, words, true);
  const flags = typed.flatMap((flag) => {
    if (replaced.has(flag.name)) return [];
    if (flag.bare) return [flag.text === 'true' ? `--${flag.name}` : `--${flag.name}=${flag.text}`];
    const copied = flag.name === 'env' && !flag.text.includes('=') ? env.find((one) => one.startsWith(`${flag.text}=`)) : undefined;
    return [`--${flag.name}`, copied ?? flag.text];
  });
  return ['--name', name, ...flags, '--', ...args];
}
