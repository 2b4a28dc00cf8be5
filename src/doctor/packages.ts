/** The command that installs a package: of the package manager that is here, else one line for all that are known. */

import type { Machine } from './machine.ts';

const managers = [
  ['apt-get', 'apt-get install -y'],
  ['dnf', 'dnf install -y'],
  ['zypper', 'zypper --non-interactive install'],
  ['apk', 'apk add'],
  ['pacman', 'pacman -S --noconfirm'],
] as const;

export type Manager = (typeof managers)[number][0];

/** `usual`: its name; `others`: where it has another. */
export function install({ find }: Pick<Machine, 'find'>, usual: string, others: Partial<Record<Manager, string>> = {}): string {
  const line = ([manager, command]: (typeof managers)[number]) => `${command} ${others[manager] ?? usual}`;
  const here = managers.find(([manager]) => find(manager) !== undefined);
  return here ? line(here) : managers.map(line).join(' || ');
}
