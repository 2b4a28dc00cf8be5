/** Every known pain of rootless containers, looked into by trying: what works, what does not, and the commands that mend it. */

import { cgroupChecks } from './cgroups.ts';
import type { Check, Result } from './finding.ts';
import { idChecks } from './ids.ts';
import { limitChecks } from './limits.ts';
import type { Machine } from './machine.ts';
import { namespaceChecks } from './namespaces.ts';
import { networkChecks } from './network.ts';
import { sessionChecks } from './session.ts';
import { storeChecks } from './store.ts';

export const checks: readonly Check[] = [
  ...namespaceChecks,
  ...idChecks,
  ...storeChecks,
  ...networkChecks,
  ...cgroupChecks,
  ...sessionChecks,
  ...limitChecks,
];

/** A check that fails by itself is a finding too: the doctor always finishes its round. */
export async function examine(machine: Machine, chosen: readonly Check[] = checks): Promise<Result[]> {
  const results: Result[] = [];
  for (const check of chosen) {
    const { id, section, title } = check;
    const finding = await Promise.resolve()
      .then(() => check.look(machine))
      .catch((error: unknown) => ({
        status: 'bad' as const,
        message: `could not be checked: ${error instanceof Error ? error.message : String(error)}`,
      }));
    results.push({ id, section, title, ...finding });
  }
  return results;
}

/** Something is wrong, or there was asked for something that root could widen (low ports). */
export function canMend({ status, fix }: Result, asked: boolean): boolean {
  return fix !== undefined && (status === 'bad' || status === 'warn' || asked);
}

/** A script for root that mends all that can be mended; undefined when there is nothing to do. `asked`: these checks were named. */
export function repairScript(results: readonly Result[], asked = false): string | undefined {
  const broken = results.filter((result) => canMend(result, asked));
  if (broken.length === 0) return undefined;
  const done = new Set<string>();
  const parts = broken.map(({ title, message, fix }) => {
    const fresh = (fix ?? []).filter((command) => !done.has(command));
    for (const command of fresh) done.add(command);
    return [`# ${title}: ${message}`.replaceAll('\n', ' '), ...fresh, ''].join('\n');
  });
  return ['#!/bin/sh', '# What rootless doctor found, mended. Read it, then run it as root.', 'set -u', '', ...parts].join('\n');
}
