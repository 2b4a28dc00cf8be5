/** Small rules for text on a screen. */

/** Cut to `length` with a mark. */
export function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(0, length - 1))}…`;
}
