/** `rootless login`: shows credentials to a registry and keeps them. */

import { isatty } from 'node:tty';
import { RootlessError } from '../errors.ts';
import { type Credentials, findCredentials, type Place, storeCredentials } from '../image/credentials.ts';
import { login, parsePlace } from '../image/login.ts';
import { readRegistriesConf } from '../image/registries-conf.ts';
import { findPaths, type Paths } from '../paths.ts';
import { command } from './command.ts';
import type { Values } from './flags.ts';
import { interruptible } from './interrupt.ts';
import { print } from './output.ts';
import { hideArguments, registryFlags, registrySettings } from './registry-flags.ts';
import { line } from './ui.ts';

const flags = {
  username: { type: 'string', alias: 'u', valueHint: 'USER', description: 'user name' },
  password: { type: 'string', alias: 'p', valueHint: 'PASSWORD', description: 'password; others can see it while this runs' },
  'password-stdin': { type: 'boolean', description: 'read the password from standard input' },
  'get-login': { type: 'boolean', description: 'print the user name that is kept' },
  authfile: { ...registryFlags.authfile, description: 'file to keep the credentials in' },
  'cert-dir': registryFlags['cert-dir'],
  'tls-verify': registryFlags['tls-verify'],
  verbose: { type: 'boolean', alias: 'v', description: 'say where they are kept' },
} as const;

export default command({
  name: 'login',
  flags,
  words: { usage: '[REGISTRY]', min: 0, max: 1 },
  examples: ['rootless login quay.io', 'echo "$TOKEN" | rootless login -u ana --password-stdin registry.example.com'],
  run: async ({ flags: values, args, given, env }) => {
    if (values.password !== undefined) hideArguments();
    const paths = findPaths(env);
    const place = parsePlace(args[0] ?? defaultRegistry(paths));
    const files = values.authfile === undefined ? paths.registry.authFiles : [values.authfile];
    const known = await findCredentials(files, place);
    if (values['get-login']) return showLogin(place, known);
    // The file may not be there yet.
    const settings = await registrySettings({ flags: { ...values, authfile: undefined }, given }, paths);
    const verify = (credentials: Credentials) => interruptible((signal) => login(place, credentials, settings, signal));
    const accepted = (await withKnown(known, values, verify, place)) ?? (await withTyped(known, values, verify));
    if (accepted === known) return succeeded();
    const { file, helper } = await storeCredentials(files, place, accepted);
    if (values.verbose) line(`kept in ${helper === undefined ? file : `docker-credential-${helper}`}`);
    else if (helper === undefined && accepted.kind === 'basic') line(`warning: the password is kept unencrypted in ${file}`);
    return succeeded();
  },
});

type Verify = (credentials: Credentials) => Promise<Credentials>;

/** What is kept is tried first, unless something was typed. */
async function withKnown(
  known: Credentials | undefined,
  values: Values<typeof flags>,
  verify: Verify,
  place: Place,
): Promise<Credentials | undefined> {
  if (known === undefined || values.username !== undefined || values.password !== undefined || values['password-stdin']) return undefined;
  line(`authenticating with existing credentials for ${place.registry}`);
  try {
    await verify(known);
    return known;
  } catch (error) {
    if (!(error instanceof RootlessError) || error.code !== 'REGISTRY_UNAUTHORIZED' || !isatty(0)) throw error;
    line('they are not valid any more');
    return undefined;
  }
}

async function withTyped(known: Credentials | undefined, values: Values<typeof flags>, verify: Verify): Promise<Credentials> {
  const { username: user, password } = values;
  const piped = values['password-stdin'];
  if (piped && password !== undefined) throw conflict('--password and --password-stdin are mutually exclusive');
  if (piped && user === undefined) throw conflict('--password-stdin needs --username');
  if (password !== undefined) line('warning: a password on the command line is insecure: use --password-stdin');
  const { askLine, askSecret, readInput } = await import('./ask.ts');
  const before = known?.username;
  const typed = user ?? (await askLine(before === undefined ? 'Username: ' : `Username (${before}): `));
  const username = typed === '' ? (before ?? '') : typed;
  if (username === '') throw new RootlessError({ code: 'PASSWORD_INVALID', message: 'a user name is needed' });
  // A pipe has a line's end after the password; the password itself may have spaces.
  const secret = piped ? readInput().replace(/\r?\n$/, '') : (password ?? (await askSecret('Password: ')));
  if (secret === '') throw new RootlessError({ code: 'PASSWORD_INVALID', message: 'the password is empty' });
  if (username.includes(':')) throw new RootlessError({ code: 'PASSWORD_INVALID', message: 'a user name cannot hold ":"' });
  return verify({ kind: 'basic', username, password: secret });
}

function showLogin({ registry }: Place, known: Credentials | undefined): number {
  if (known === undefined) throw new RootlessError({ code: 'NOT_LOGGED_IN', message: `not logged into ${registry}` });
  print(`${known.username ?? '<token>'}\n`);
  return 0;
}

function succeeded(): number {
  print('Login Succeeded\n');
  return 0;
}

/** podman's rule, where registries.conf has an opinion; else docker's. */
export function defaultRegistry({ registry }: Paths): string {
  return readRegistriesConf(registry).search[0] ?? 'docker.io';
}

function conflict(message: string): RootlessError {
  return new RootlessError({
    code: 'FLAGS_CONFLICT',
    message,
    fix: 'echo "$PASSWORD" | rootless login --username USER --password-stdin REGISTRY',
  });
}
