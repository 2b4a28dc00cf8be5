/** Which container a published port belongs to: pasta, which has it open, lets nobody look into it. */

import type { PortOwner } from '../network/ports.ts';
import type { Paths } from '../paths.ts';

/** Read when it is asked: a port is taken seldom. */
export function portOwner(paths: Paths): PortOwner {
  return async (port, protocol) => {
    const { isActive, listContainers } = await import('./state.ts');
    const has = ({ ports }: { readonly ports: readonly { readonly hostPort: number; readonly protocol: string }[] }) =>
      ports.some((one) => one.hostPort === port && one.protocol === protocol);
    return listContainers(paths).find((container) => isActive(container) && has(container))?.name;
  };
}
