/** Says before a container goes on alone whether it will outlive the session. */

import { willEndAtLogout } from '../runtime/linger.ts';
import { notice } from './notice.ts';

export function warnLinger(): void {
  const user = willEndAtLogout();
  if (user === undefined) return;
  notice(`the container ends when you log out for the last time: sudo loginctl enable-linger ${user} lets it stay`);
}
