/** A private network for one container: which program serves it, and what addresses it gives. */

import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { RootlessError } from '../errors.ts';
import { findProgram } from '../programs.ts';
import type { DnsPlan } from './dns.ts';
import { pastaArgs, pastaForwarder, pastaHost } from './pasta.ts';
import { firstFreePort, type PortRequest, reservePorts } from './ports.ts';
import { slirpArgs, slirpForwarder } from './slirp4netns.ts';

export type NetworkPlan = {
  /** argv of the serving process; `{pid}` is the helper's to fill in. */
  readonly companion: readonly string[];
  readonly dns: DnsPlan;
  /** As asked, with real numbers where any free port would do. */
  readonly ports: readonly PortRequest[];
};

/** @throws RootlessError TUN_UNAVAILABLE, NETWORK_TOOL_MISSING, and those of reservePorts */
export async function planNetwork(asked: readonly PortRequest[], searchPath: readonly string[]): Promise<NetworkPlan> {
  checkTun();
  const pasta = findProgram('pasta', searchPath);
  const slirp = pasta ? undefined : findProgram('slirp4netns', searchPath);
  if (pasta === undefined && (slirp === undefined || asked.length > 0)) throw noTool(slirp !== undefined);
  const ports = asked.length > 0 ? await reservePorts(asked, firstFreePort()) : [];
  if (slirp !== undefined) return { companion: slirpArgs(slirp), dns: { forwarder: slirpForwarder, host: undefined }, ports };
  const program = pasta ?? '';
  const companion = pastaArgs(program, ports, helpOf(program), process.geteuid?.() === 0);
  return { companion, dns: { forwarder: pastaForwarder, host: companion.includes(pastaHost) ? pastaHost : undefined }, ports };
}

/** Both programs make a tap device in the container's namespace through this one node. */
function checkTun(): void {
  const path = '/dev/net/tun';
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new RootlessError({
      code: 'TUN_UNAVAILABLE',
      message: `cannot make a private network: "${path}" ${missing ? 'is missing' : 'may not be opened'}`,
      why: 'pasta and slirp4netns connect containers through a tap device',
      fix: missing
        ? 'sudo modprobe tun, or use --network none or --network host'
        : `sudo chmod 666 ${path}, or use --network none or --network host`,
      cause,
    });
  }
}

function noTool(slirp: boolean): RootlessError {
  return new RootlessError({
    code: 'NETWORK_TOOL_MISSING',
    message: slirp
      ? 'cannot publish ports: pasta is not installed'
      : 'cannot make a private network: neither pasta nor slirp4netns is installed',
    why: slirp
      ? 'slirp4netns is there, but rootless publishes ports through pasta only'
      : 'one of them carries the traffic of containers that users run',
    fix: 'sudo apt-get install passt (Debian, Ubuntu; passt elsewhere too), or use --network none or --network host',
  });
}

/** Options come and go between versions, and builds of distributions do not even state one: ask what it knows. */
function helpOf(program: string): string {
  const run = spawnSync(program, ['--help'], { encoding: 'utf8', timeout: 10_000 });
  return `${run.stdout ?? ''}${run.stderr ?? ''}`;
}
