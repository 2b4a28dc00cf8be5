/** monitor.json: what a container's monitor is to do (docs/contract.md, "Monitor"). Pure but for the writing. */

import { join } from 'node:path';
import type { Paths } from '../paths.ts';
import { planHealth } from './health.ts';
import { logAttributes } from './log-attributes.ts';
import { expandTag } from './log-tag.ts';
import type { ContainerOptions } from './options.ts';
import type { ImageDefaults } from './process.ts';
import { replace } from './replace.ts';
import { signalNumber } from './signals.ts';

export type MonitorFacts = {
  readonly id: string;
  readonly name: string;
  readonly imageId: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly defaults: ImageDefaults;
  readonly folder: string;
  /** Its input is a pipe that nobody holds yet. */
  readonly keepInput: boolean;
  /** Where a service manager listens (sd_notify(3)). */
  readonly notifySocket: string | undefined;
  readonly notifyMode?: ContainerOptions['sdnotify'] | undefined;
  /** Links and files outside its folder that go with it. */
  readonly traces: readonly string[];
};

/** docker's wait between the stop signal and SIGKILL. */
export const stopSeconds = 10;

const second = 1_000_000_000;
/** No timer waits longer: a hundred years. */
const forever = 3_153_600_000 * second;

export function monitorFile(paths: Paths, options: ContainerOptions, facts: MonitorFacts): Readonly<Record<string, unknown>> {
  const { log, restart } = options;
  const notifyMode = facts.notifyMode ?? options.sdnotify;
  const attributes = logAttributes(options, { labels: facts.labels, imageEnv: facts.defaults.env });
  const health = planHealth(options.health, facts.defaults.healthcheck);
  return {
    ...(facts.keepInput ? { stdin: true } : {}),
    log: {
      driver: log.driver,
      path: log.path ?? join(facts.folder, 'log'),
      ...(log.maxSize > 0 ? { maxSize: log.maxSize, maxFile: log.maxFile } : {}),
      ...(log.tag === undefined ? {} : { tag: expandTag(log.tag, { ...facts, image: options.image }) }),
      ...(Object.keys(attributes).length === 0 ? {} : { attributes }),
      whenFull: log.whenFull,
    },
    restart: { policy: restart.policy, retries: restart.retries },
    stop: stopPlan(options, facts.defaults),
    ...(health ? { health } : {}),
    ...(options.timeout > 0 ? { timeout: options.timeout * second } : {}),
    ...(options.pidFile === undefined ? {} : { pidFile: options.pidFile }),
    ...(options.monitorPidFile === undefined ? {} : { monitorPidFile: options.monitorPidFile }),
    ...(facts.notifySocket === undefined || notifyMode === 'ignore' ? {} : { notify: { mode: notifyMode, socket: facts.notifySocket } }),
    journal: join(paths.data, 'events'),
    facts: { name: facts.name, image: options.image, labels: facts.labels },
    traces: facts.traces,
  };
}

/** A stop signal that the image misspells is no reason to fail: docker takes SIGTERM then. */
export function stopPlan(
  options: ContainerOptions,
  image: Pick<ImageDefaults, 'stopSignal'>,
): { readonly signal: number; readonly timeout: number } {
  const signal = signalNumber(options.stopSignal ?? image.stopSignal ?? 'SIGTERM') ?? 15;
  return { signal, timeout: nanoseconds(options.stopTimeout ?? stopSeconds) };
}

/** Seconds → nanoseconds; less than none is for ever. */
export function nanoseconds(seconds: number): number {
  return seconds < 0 ? forever : Math.min(Math.round(seconds * second), forever);
}

export function writeMonitorFile(folder: string, content: Readonly<Record<string, unknown>>): string {
  const file = join(folder, 'monitor.json');
  replace(file, JSON.stringify(content));
  return file;
}
