/** User-defined networks for tests: one of a new name, and what containers on it see. */

import * as assert from 'uvu/assert';
import { rootless } from './cli.ts';
import { ok } from './detached.ts';
import { busyboxImage } from './images.ts';

/** Ends when it is told to. */
const sleeping = ['sh', '-c', 'trap "exit 0" TERM; echo up; while :; do sleep 1 & wait $!; done'];
let count = 0;

/** A network of a new name, and everything that is on it, gone when `work` is done. */
export async function withNetwork(flags: readonly string[], work: (name: string) => Promise<void>): Promise<void> {
  count += 1;
  const name = `net${count}`;
  await ok(['network', 'create', ...flags, name]);
  try {
    await work(name);
  } finally {
    const ids = (await ok(['ps', '-aq', '--filter', `network=${name}`])).split('\n').filter(Boolean);
    if (ids.length > 0) await rootless(['rm', '-f', ...ids]);
    await rootless(['network', 'rm', '-f', name]);
  }
}

export const run = (flags: readonly string[], argv: readonly string[] = sleeping) => ok(['run', '-d', ...flags, busyboxImage(), ...argv]);
export const sh = (network: string, script: string, flags: readonly string[] = []) =>
  ok(['run', '--rm', '--network', network, ...flags, busyboxImage(), 'sh', '-c', script]);
export const exec = async (name: string, script: string) => (await ok(['exec', name, 'sh', '-c', script])).trim();
export const inspect = async (name: string, template: string) => (await ok(['inspect', '--format', template, name])).trim();
export const addressOn = (name: string, network: string) => inspect(name, `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`);
/** The addresses that a name has for a container; empty where there is none. */
export const lookUp = async (name: string, wanted: string) =>
  (await exec(name, `nslookup -type=a ${wanted} 2>/dev/null | sed -n '/^Name/,$ s/^Address[^:]*: *//p'`)).split('\n').filter(Boolean);
export const refusal = async (args: readonly string[]) => {
  const { code, stderr } = await rootless(args);
  assert.ok(code === 1 || code === 125, `${args.join(' ')}: exit ${code}: ${stderr}`);
  return stderr;
};
