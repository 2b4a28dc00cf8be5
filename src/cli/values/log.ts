/** `--log-driver` and `--log-opt`: docker's and podman's names. */

import { RootlessError } from '../../errors.ts';
import { logPattern } from '../../runtime/log-attributes.ts';
import { defaults, type LogRequest } from '../../runtime/options.ts';
import { BadValue } from './bad.ts';
import { parseBytes } from './bytes.ts';

type Driver = LogRequest['driver'];

const drivers: Readonly<Record<string, Driver>> = {
  'json-file': 'json-file',
  // docker's compressed binary format: what people want of it is that it is bounded.
  local: 'json-file',
  'k8s-file': 'plain',
  plain: 'plain',
  journald: 'journald',
  none: 'none',
};

export const driverNames = Object.keys(drivers);

/** As typed: `local` has other defaults than `json-file`. */
export function parseLogDriver(text: string): string {
  if (Object.hasOwn(drivers, text)) return text;
  throw new BadValue(`logger: no log driver named '${text}' is registered`, { fix: `drivers are ${driverNames.join(', ')}` });
}

export function parseLogOption(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new BadValue(`invalid logging opts format: "${text}"`, { fix: 'KEY=VALUE: max-size=10m, max-file=3' });
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** What drivers of docker take and has no meaning here. */
const ignored = ['compress', 'max-buffer-size'];

/** @throws RootlessError LOG_OPTION_INVALID */
export function toLog(driver: string | undefined, options: readonly (readonly [string, string])[]): LogRequest {
  const name = driver ?? 'json-file';
  const chosen = drivers[name] ?? 'json-file';
  let log: LogRequest = { ...defaults.log, driver: chosen, ...(name === 'local' ? { maxSize: 20 * 2 ** 20, maxFile: 5 } : {}) };
  for (const [key, value] of options) log = { ...log, ...toPart(name, key, value) };
  if (log.maxFile > 1 && log.maxSize === 0)
    throw invalid('max-file is set, and max-size is not', 'max-file counts files of max-size bytes');
  return log;
}

function toPart(driver: string, key: string, value: string): Partial<LogRequest> {
  const isFile = drivers[driver] !== 'journald' && driver !== 'none';
  if (key === 'tag') return { tag: value };
  if (ignored.includes(key)) return {};
  if (key === 'labels' || key === 'env') return { [key]: value.split(',').filter(Boolean) };
  if (key === 'labels-regex') return { labelsRegex: logPattern(value).source };
  if (key === 'env-regex') return { envRegex: logPattern(value).source };
  if (isFile && key === 'max-size') return { maxSize: value === '-1' ? 0 : size(value) };
  if (isFile && key === 'max-file') return { maxFile: count(value) };
  if (isFile && key === 'path') return { path: value };
  if (key === 'mode' && (value === 'blocking' || value === 'non-blocking')) return {};
  if (isFile && key === 'when-full' && (value === 'drop' || value === 'stop')) return { whenFull: value };
  if (key === 'mode' || key === 'when-full') throw invalid(`invalid value for log opt '${key}': ${value}`, undefined);
  throw invalid(
    `unknown log opt '${key}' for ${driver} log driver`,
    'options are max-size, max-file, path, tag, labels, env, mode and when-full',
  );
}

function size(value: string): number {
  try {
    return parseBytes(value);
  } catch (cause) {
    throw invalid(`invalid value for log opt 'max-size': ${value}`, cause instanceof BadValue ? cause.message : undefined);
  }
}

function count(value: string): number {
  if (/^[1-9]\d{0,4}$/.test(value)) return Number(value);
  throw invalid(`invalid value for log opt 'max-file': ${value}`, 'it is a number of files, 1 or more');
}

function invalid(message: string, why: string | undefined): RootlessError {
  return new RootlessError({ code: 'LOG_OPTION_INVALID', message, why });
}
