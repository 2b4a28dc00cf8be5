/** How a value of a quadlet's key becomes words of the command line. Pure. */

import { splitWords } from './systemd-text.ts';

export type Rule = (value: string) => readonly string[];

export const value =
  (flag: string): Rule =>
  (text) => [`--${flag}`, text];

/** Several in one value, quoted as systemd quotes. */
export const words =
  (flag: string): Rule =>
  (text) =>
    splitWords(text).flatMap((word) => [`--${flag}`, word]);

/** A flag that says both. */
export const onOff =
  (flag: string): Rule =>
  (text) =>
    isTrue(text) ? [`--${flag}`] : [`--${flag}=false`];

/** A flag that is there or not. */
export const when =
  (flag: string): Rule =>
  (text) =>
    isTrue(text) ? [`--${flag}`] : [];

/** As systemd reads yes and no. */
export function isTrue(text: string): boolean {
  return /^(1|yes|true|on)$/i.test(text);
}
