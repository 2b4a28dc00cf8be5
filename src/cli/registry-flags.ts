/** Flags of every command that talks to a registry, and the settings they stand for. */

import { existsSync } from 'node:fs';
import { RootlessError } from '../errors.ts';
import type { Credentials } from '../image/credentials.ts';
import type { RegistrySettings } from '../image/session.ts';
import type { Paths } from '../paths.ts';
import type { Flags, Values } from './flags.ts';

export const registryFlags = {
  'tls-verify': { type: 'boolean', default: true, description: 'check certificates; =false allows http too' },
  authfile: { type: 'string', valueHint: 'FILE', description: 'file with credentials' },
  creds: { type: 'string', valueHint: 'USER[:PASSWORD]', description: 'credentials for this once' },
  'cert-dir': { type: 'string', valueHint: 'FOLDER', description: 'folder with *.crt, *.cert and *.key' },
} as const satisfies Flags;

type Given = { readonly flags: Partial<Values<typeof registryFlags>>; readonly given: ReadonlySet<string> };

/** @throws RootlessError FLAG_FILE_UNREADABLE, FLAG_VALUE_INVALID */
export async function registrySettings({ flags, given }: Given, { registry }: Paths): Promise<RegistrySettings> {
  const { authfile, creds } = flags;
  const certDir = flags['cert-dir'];
  for (const path of [authfile, certDir]) if (path !== undefined && !existsSync(path)) throw unreadable(path);
  return {
    environment: registry,
    tlsVerify: given.has('tls-verify') ? flags['tls-verify'] : undefined,
    authFile: authfile,
    certDir,
    credentials: creds === undefined ? undefined : await readCreds(creds),
  };
}

/** The password may be left out, and is asked for then: an argument is seen by everybody on the machine. */
async function readCreds(text: string): Promise<Credentials> {
  hideArguments();
  const colon = text.indexOf(':');
  const username = colon < 0 ? text : text.slice(0, colon);
  if (username === '') {
    // The value is not quoted: it may be a password.
    throw new RootlessError({ code: 'FLAG_VALUE_INVALID', message: 'invalid argument for "--creds" flag: it has no user name' });
  }
  if (colon >= 0) return { kind: 'basic', username, password: text.slice(colon + 1) };
  const { askSecret } = await import('./ask.ts');
  return { kind: 'basic', username, password: await askSecret('Password: ') };
}

/** Takes the arguments out of what `ps` shows of this process. */
export function hideArguments(): void {
  process.title = 'rootless';
}

function unreadable(path: string): RootlessError {
  return new RootlessError({ code: 'FLAG_FILE_UNREADABLE', message: `cannot open "${path}"`, why: 'there is nothing of that name' });
}
