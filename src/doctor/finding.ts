/** What the doctor says of one thing: how it stands, the cause as it was checked, and commands that mend it. */

/** `bad`: something that people need does not work. `warn`: it works, with less than this machine could give. `off`: not looked into, and why. */
export type Status = 'ok' | 'warn' | 'bad' | 'off';

export type Finding = {
  readonly status: Status;
  /** What was found, in one line: lower case, no full stop. */
  readonly message: string;
  /** The cause, only if it was checked. */
  readonly why?: string;
  /** Commands for a shell of root, exact, one a line; a script is made of them. */
  readonly fix?: readonly string[];
  /** Where no command of root's can help: what to do instead. */
  readonly advice?: string;
};

export type Section = 'ids' | 'storage' | 'network' | 'cgroups' | 'session' | 'limits' | 'surroundings';

/** One known pain. `id` is stable: scripts select by it. */
export type Check = {
  readonly id: string;
  readonly section: Section;
  readonly title: string;
  readonly look: (machine: import('./machine.ts').Machine) => Finding | Promise<Finding>;
};

export type Result = Finding & { readonly id: string; readonly section: Section; readonly title: string };

export const ok = (message: string): Finding => ({ status: 'ok', message });
export const off = (message: string): Finding => ({ status: 'off', message });
