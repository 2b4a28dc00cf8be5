/** What of a container's labels and environment stands beside each line of its log: docker's `labels`, `env` and their `-regex`. Pure. */

import { RootlessError } from '../errors.ts';
import { mergeEnv } from './process.ts';
import type { ContainerOptions, LogRequest } from './options.ts';

export type LogFacts = { readonly labels: Readonly<Record<string, string>>; readonly imageEnv: readonly string[] };

/** `DETAILS` of `logs --details`; those without a value in the container are left out. */
export function logAttributes({ log, env }: Pick<ContainerOptions, 'log' | 'env'>, { labels, imageEnv }: LogFacts): Record<string, string> {
  const variables = Object.fromEntries(mergeEnv(imageEnv, env, '', false).map(splitVariable));
  delete variables['HOSTNAME'];
  return { ...chosen(labels, log.labels, log.labelsRegex), ...chosen(variables, log.env, log.envRegex) };
}

function chosen(all: Readonly<Record<string, string>>, names: LogRequest['labels'], regex: string | undefined): Record<string, string> {
  const pattern = regex === undefined ? undefined : logPattern(regex);
  return Object.fromEntries(Object.entries(all).filter(([name]) => names?.includes(name) || pattern?.test(name)));
}

/** @throws RootlessError LOG_OPTION_INVALID */
export function logPattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw new RootlessError({ code: 'LOG_OPTION_INVALID', message: `invalid regular expression in a log opt: "${text}"` });
  }
}

function splitVariable(entry: string): [string, string] {
  const equals = entry.indexOf('=');
  return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
}
