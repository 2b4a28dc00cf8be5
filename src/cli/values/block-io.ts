/** Weights and rates of disks: `500`, `/dev/sda:500`, `/dev/sda:10mb`, `/dev/sda:100`. */

import type { DeviceValue } from '../../cgroup/limits.ts';
import { BadValue } from './bad.ts';
import { parseBytes } from './bytes.ts';
import { parseWhole } from './numbers.ts';

/** 10 to 1000; 0 is none. */
export function parseWeight(text: string): number {
  const weight = parseWhole(text, 0);
  if (weight === 0 || (weight >= 10 && weight <= 1000)) return weight;
  throw new BadValue('range of blkio weight is from 10 to 1000');
}

export function parseDeviceWeight(text: string): DeviceValue {
  const { path, rest } = split(text, 'PATH:NUMBER, as /dev/sda:500');
  return { path, value: parseWeight(rest) };
}

/** Bytes a second, in docker's units. */
export function parseDeviceSpeed(text: string): DeviceValue {
  const { path, rest } = split(text, 'PATH:RATE[UNIT], as /dev/sda:10mb');
  return { path, value: parseBytes(rest) };
}

/** Operations a second. */
export function parseDeviceRate(text: string): DeviceValue {
  const { path, rest } = split(text, 'PATH:RATE, as /dev/sda:100');
  return { path, value: parseWhole(rest, 0) };
}

function split(text: string, fix: string): { readonly path: string; readonly rest: string } {
  const colon = text.lastIndexOf(':');
  const [path, rest] = [text.slice(0, Math.max(colon, 0)), text.slice(colon + 1)];
  if (rest === '' || path === '') throw new BadValue(`bad format: ${text}`, { fix });
  if (!path.startsWith('/dev/')) throw new BadValue(`bad format for device path: ${text}`, { fix });
  return { path, rest };
}
