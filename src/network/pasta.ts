/** pasta(1): the container's network over the host's own sockets. Which options it gets. Pure. */

import type { PortRequest } from './ports.ts';

/** Answers DNS for the container: link-local, so it can be nobody else's. */
export const pastaForwarder = '169.254.1.1';
/** Stands for the host, with a pasta that has --map-guest-addr (since 2024-10). */
export const pastaHost = '169.254.1.2';

/**
 * Goes to the background when it serves, which is how the helper knows. pasta's own defaults forward every port that is bound
 * on either side, and the gateway's address to the host's loopback: all three are switched off.
 */
export function pastaArgs(program: string, ports: readonly PortRequest[], help: string, asRoot: boolean): string[] {
  const reachHost = help.includes('--map-guest-addr');
  return [
    program,
    '--quiet',
    // As root it would become nobody, who may not enter the container's namespaces; it sandboxes itself all the same.
    ...(asRoot ? ['--runas', '0'] : []),
    '--config-net',
    '--no-map-gw',
    '--mtu',
    '65520',
    '--dns-forward',
    pastaForwarder,
    ...(reachHost ? ['--map-guest-addr', pastaHost] : []),
    ...forwards('-t', ports, 'tcp'),
    ...forwards('-u', ports, 'udp'),
    '-T',
    'none',
    '-U',
    'none',
    '{pid}',
  ];
}

function forwards(flag: string, ports: readonly PortRequest[], protocol: PortRequest['protocol']): string[] {
  const specs = ports
    .filter((port) => port.protocol === protocol)
    .map(({ hostAddress, hostPort, containerPort }) => `${hostAddress ? `${hostAddress}/` : ''}${hostPort}:${containerPort}`);
  return (specs.length > 0 ? specs : ['none']).flatMap((spec) => [flag, spec]);
}
