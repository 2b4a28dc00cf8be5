/** Names that the name server of a network can answer. Pure. */

const label = '[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?';
const whole = new RegExp(`^${label}(\\.${label})*$`);

/** RFC 1035's lengths, and `_` beside its letters: containers are named so. */
export function isName(text: string): boolean {
  return text.length <= 253 && whole.test(text);
}
