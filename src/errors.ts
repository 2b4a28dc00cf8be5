/** The one error type of the project: what happened, why, and what to do. */

/** Facts for the three lines that a user sees. `code` is stable: tests and scripts match it. */
export type ErrorFacts = {
  /** SCREAMING_SNAKE, for example `SUBID_MISSING`. */
  readonly code: string;
  /** What happened: lower case, no full stop, the thing quoted. */
  readonly message: string;
  readonly why?: string | undefined;
  /** An exact command or sentence; only if its cause was checked. */
  readonly fix?: string | undefined;
  /** Process exit code: 125 rootless failed, 126 cannot run, 127 not found. Default 125. */
  readonly exit?: number | undefined;
  readonly cause?: unknown;
};

/** Thrown below the command line for every expected failure; anything else that is thrown is a bug. */
export class RootlessError extends Error {
  readonly code: string;
  readonly why: string | undefined;
  readonly fix: string | undefined;
  readonly exit: number;

  constructor(facts: ErrorFacts) {
    super(facts.message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.name = 'RootlessError';
    this.code = facts.code;
    this.why = facts.why;
    this.fix = facts.fix;
    this.exit = facts.exit ?? 125;
  }
}
