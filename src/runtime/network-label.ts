/** The network of a container in one word, as `ps` and `inspect` show it. */

import type { ContainerOptions } from './options.ts';

type Options = Pick<ContainerOptions, 'network' | 'networks' | 'networkOf'>;

/** `private`, `front,back`, `container:ID`, `ns:PATH`. */
export function networkLabel({ network, networks = [], networkOf = '' }: Options): string {
  if (network === 'networks') return networks.map((one) => one.network).join(',');
  if (network === 'container') return `container:${networkOf}`;
  return network === 'namespace' ? `ns:${networkOf}` : network;
}
