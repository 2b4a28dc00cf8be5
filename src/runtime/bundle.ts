/** Writes a bundle's config.json. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OciConfig } from './oci.ts';

export function writeBundle(folder: string, text: string): void {
  writeFileSync(join(folder, 'config.json'), text, { mode: 0o600 });
}

/** No JavaScript number is RLIM_INFINITY (2^64-1): it travels as a text that no argument can be, since it holds a NUL. */
export function formatConfig(config: OciConfig, indent?: number): string {
  const infinite = config.process.rlimits.some((limit) => !Number.isFinite(limit.soft) || !Number.isFinite(limit.hard));
  if (!infinite) return JSON.stringify(config, undefined, indent);
  const text = JSON.stringify(config, (_, value) => (value === Number.POSITIVE_INFINITY ? '\u0000infinity' : value), indent);
  return text.replaceAll('"\\u0000infinity"', '18446744073709551615');
}
