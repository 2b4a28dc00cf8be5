/** Whether this is a container, and whose. Pure: what is looked at is passed in. */

import { count, type IdRange } from './ranges.ts';

type Surroundings = {
  readonly exists: (path: string) => boolean;
  readonly read: (path: string) => string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The ids that exist here. */
  readonly outer: readonly IdRange[];
};

/** The engine's name; undefined on a machine of one's own. */
export function containerAround({ exists, read, env, outer }: Surroundings): string | undefined {
  if (exists('/.dockerenv')) return 'docker';
  if (exists('/run/.containerenv')) return 'podman';
  if (env['KUBERNETES_SERVICE_HOST']) return 'Kubernetes';
  const named = read('/run/systemd/container').trim() || env['container'];
  if (named) return named;
  return outer.length > 0 && count(outer) < 0xffff_ffff ? 'a user namespace' : undefined;
}
