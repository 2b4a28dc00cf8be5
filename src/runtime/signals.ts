/** Signals by name and number (signal(7)), the real-time ones too. */

import { constants } from 'node:os';

const [realtimeMin, realtimeMax] = [34, 64];

/** `TERM`, `sigterm`, `15`, `RTMIN+3` → 15, 37; undefined for what is no signal. */
export function signalNumber(text: string): number | undefined {
  const upper = text.trim().toUpperCase();
  if (/^\d{1,2}$/.test(upper)) {
    const number = Number(upper);
    return number >= 1 && number <= realtimeMax ? number : undefined;
  }
  const name = upper.startsWith('SIG') ? upper : `SIG${upper}`;
  const realtime = /^SIGRT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realtime === null) return Object.hasOwn(constants.signals, name) ? constants.signals[name as NodeJS.Signals] : undefined;
  const [, base, sign, distance = '0'] = realtime;
  const number = (base === 'MIN' ? realtimeMin : realtimeMax) + (sign === '-' ? -1 : 1) * Number(distance);
  return number >= realtimeMin && number <= realtimeMax ? number : undefined;
}

/** 15 → `SIGTERM`. */
export function signalName(number: number): string {
  const known = Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
  return known ?? (number >= realtimeMin && number <= realtimeMax ? `SIGRTMIN+${number - realtimeMin}` : String(number));
}
