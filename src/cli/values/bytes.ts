/** Sizes as docker reads them: `64m`, `1.5g`, `512`, `10KiB`; powers of 1024. */

import { BadValue } from './bad.ts';

const powers = 'bkmgtp';

export function parseBytes(text: string): number {
  const found = /^(\d+(?:\.\d*)?|\.\d+) ?(.*)$/.exec(text);
  if (found === null) throw new BadValue(`invalid size: '${text}'`, { fix: 'a number and a unit: 512m, 1.5g, 65536' });
  const unit = (found[2] as string).toLowerCase();
  if (!/^(b|[kmgtp](i?b)?)?$/.test(unit)) {
    throw new BadValue(`invalid suffix: '${found[2]}'`, { fix: 'units are b, k, m, g, t and p' });
  }
  const bytes = Math.floor(Number(found[1]) * 1024 ** Math.max(0, powers.indexOf(unit.charAt(0))));
  if (!Number.isSafeInteger(bytes)) throw new BadValue(`invalid size: '${text}': too large`);
  return bytes;
}

/** `--memory-swap`: a size, or -1 for no limit. */
export function parseSwap(text: string): number {
  return text === '-1' ? -1 : parseBytes(text);
}
