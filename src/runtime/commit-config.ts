/** What a container was asked to be, as an image says it: docker's rule for commit. */

import { withBase } from '../image/base-source.ts';
import type { Paths } from '../paths.ts';
import type { RunConfig } from './change.ts';
import type { ContainerOptions } from './options.ts';
import type { Listed } from './state.ts';

/** The image's own configuration with what the flags of `run` changed; fields that are unknown here stay. */
export async function runConfigOf(paths: Paths, container: Listed): Promise<RunConfig> {
  const { base, options } = container;
  if (base.kind !== 'layers') return overlayConfig({}, options);
  return await withBase(paths, base.id, container.image, undefined, async ({ image }) => {
    const { config } = JSON.parse(Buffer.from(image.configBytes).toString('utf8')) as { readonly config?: RunConfig };
    return overlayConfig(config ?? {}, options);
  });
}

/** Pure. */
export function overlayConfig(image: RunConfig, options: ContainerOptions): RunConfig {
  const { entrypoint, command, env, user, workdir, stopSignal, labels, expose, ports, mounts, health } = options;
  // An entrypoint that was given also drops the image's command.
  const cmd = command.length > 0 ? command : entrypoint === undefined ? image.Cmd : [];
  const exposed = [...expose, ...ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`)];
  const volumes = mounts.flatMap((mount) =>
    mount.kind === 'volume' && (mount.anonymous || mount.name === undefined) ? [mount.target] : [],
  );
  return {
    ...image,
    ...(cmd === undefined ? {} : { Cmd: cmd }),
    ...(entrypoint === undefined ? {} : { Entrypoint: entrypoint }),
    ...(env.length === 0 ? {} : { Env: mergeEnv(image.Env ?? [], env) }),
    ...(user === undefined ? {} : { User: user }),
    ...(workdir === undefined ? {} : { WorkingDir: workdir }),
    ...(stopSignal === undefined ? {} : { StopSignal: stopSignal }),
    ...(Object.keys(labels).length === 0 ? {} : { Labels: { ...image.Labels, ...labels } }),
    ...(exposed.length === 0 ? {} : { ExposedPorts: { ...image.ExposedPorts, ...keys(exposed) } }),
    ...(volumes.length === 0 ? {} : { Volumes: { ...image.Volumes, ...keys(volumes) } }),
    ...(health.test.length === 0 ? {} : { Healthcheck: healthcheck(options) }),
  };
}

function healthcheck({ health }: ContainerOptions): Record<string, unknown> {
  const { test, interval, timeout, startPeriod, startInterval, retries } = health;
  const times = { Interval: interval, Timeout: timeout, StartPeriod: startPeriod, StartInterval: startInterval, Retries: retries };
  return { Test: test, ...Object.fromEntries(Object.entries(times).filter(([, value]) => value > 0)) };
}

function mergeEnv(image: readonly string[], asked: readonly string[]): string[] {
  const merged = new Map([...image, ...asked].map((entry) => [entry.split('=', 1)[0] ?? '', entry]));
  return [...merged.values()];
}

function keys(words: readonly string[]): Record<string, object> {
  return Object.fromEntries(words.map((word) => [word, {}]));
}
