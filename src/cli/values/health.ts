/** `--health-*` and `--no-healthcheck`. */

import { RootlessError } from '../../errors.ts';
import { defaults, type HealthRequest } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';
import { duration } from './time.ts';

const actions = ['none', 'kill', 'restart', 'stop'] as const;

/** A line for the container's shell; podman also takes a JSON list of words, and `none`. */
export function parseHealthCommand(text: string): readonly string[] {
  if (text === 'none') return ['NONE'];
  if (!text.startsWith('[')) return ['CMD-SHELL', text];
  try {
    const words: unknown = JSON.parse(text);
    if (Array.isArray(words) && words.length > 0 && words.every((word) => typeof word === 'string')) return toTest(words);
  } catch {
    // `[ -f /ready ]` is a command too.
  }
  return ['CMD-SHELL', text];
}

function toTest(words: readonly string[]): readonly string[] {
  return ['CMD', 'CMD-SHELL', 'NONE'].includes(words[0] ?? '') ? words : ['CMD', ...words];
}

/** @returns nanoseconds; docker refuses less than a millisecond, and takes 0 for "not said". */
export function parseHealthTime(text: string): number {
  const milliseconds = text === 'disable' ? 0 : duration(text);
  if (milliseconds === undefined) throw new BadValue(`invalid duration "${text}"`, { fix: 'a number and a unit: 500ms, 30s, 1m30s' });
  if (milliseconds !== 0 && milliseconds < 1) throw new BadValue('cannot be less than 1ms');
  return Math.round(milliseconds * 1e6);
}

export function parseHealthAction(text: string): HealthRequest['onFailure'] {
  const action = actions.find((one) => one === text);
  if (action !== undefined) return action;
  throw new BadValue(`"${text}" is no action`, { fix: `one of ${actions.join(', ')}` });
}

export type HealthFlags = {
  readonly 'no-healthcheck': boolean;
  readonly 'health-cmd': readonly string[] | undefined;
  readonly 'health-interval': number | undefined;
  readonly 'health-timeout': number | undefined;
  readonly 'health-start-period': number | undefined;
  readonly 'health-start-interval': number | undefined;
  readonly 'health-retries': number | undefined;
  readonly 'health-on-failure': HealthRequest['onFailure'] | undefined;
};

/** @throws RootlessError FLAGS_CONFLICT */
export function toHealth(flags: HealthFlags): HealthRequest {
  const { 'no-healthcheck': off, ...rest } = flags;
  if (off && Object.entries(rest).some(([name, value]) => name.startsWith('health-') && value !== undefined)) {
    throw new RootlessError({ code: 'FLAGS_CONFLICT', message: '--no-healthcheck conflicts with --health-* options' });
  }
  if (off) return { ...defaults.health, test: ['NONE'] };
  return {
    test: flags['health-cmd'] ?? [],
    interval: flags['health-interval'] ?? 0,
    timeout: flags['health-timeout'] ?? 0,
    startPeriod: flags['health-start-period'] ?? 0,
    startInterval: flags['health-start-interval'] ?? 0,
    retries: flags['health-retries'] ?? 0,
    onFailure: flags['health-on-failure'] ?? 'none',
  };
}
