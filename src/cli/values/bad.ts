/** Thrown by the parsers of flag values; flags.ts puts the flag's name around it. */

export class BadValue extends Error {
  readonly why: string | undefined;
  readonly fix: string | undefined;

  constructor(message: string, more: { readonly why?: string; readonly fix?: string } = {}) {
    super(message);
    this.name = 'BadValue';
    this.why = more.why;
    this.fix = more.fix;
  }
}
