/** Colour for a terminal that wants it, and text made harmless for any terminal. */

import { isatty } from 'node:tty';

const codes = { red: '31', yellow: '33', green: '32', cyan: '36', bold: '1', dim: '2' } as const;

export type Colour = keyof typeof codes;

/** For standard error: what commands print on standard output is for programs, and stays plain. */
export function paint(colour: Colour, text: string): string {
  return wantsColour(2) ? dye(colour, text) : text;
}

/** For the few reports on standard output that are for people. */
export function paintOutput(colour: Colour, text: string): string {
  return wantsColour(1) ? dye(colour, text) : text;
}

function dye(colour: Colour, text: string): string {
  return `\x1b[${codes[colour]}m${text}\x1b[0m`;
}

/** no-color.org: any value but the empty one switches colour off. */
function wantsColour(fd: 1 | 2): boolean {
  return isatty(fd) && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
}

/** Names and messages may come from a registry or an archive: control characters are shown, not sent. Line ends stay. */
export function plain(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, (char) => {
    const code = char.charCodeAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u${code}`;
  });
}
