/** Programs that keep credentials: the protocol of docker-credential-helpers, `docker-credential-NAME get|store|erase|list`. */

import { spawn } from 'node:child_process';
import { RootlessError } from '../errors.ts';
import type { Credentials } from './credentials.ts';
import { optionalText, parseJson } from './json.ts';

/** Undefined when the helper knows nothing, or is missing: many configurations name one that is only there on a desktop. */
export async function getFromHelper(name: string, server: string, signal?: AbortSignal): Promise<Credentials | undefined> {
  const { output, code } = await run(name, 'get', `${server}\n`, signal);
  if (code !== 0) return undefined;
  return parseJson(output, 'AUTH_HELPER_FAILED', `answer of docker-credential-${name}`, (root) => {
    const username = optionalText(root, 'Username') ?? '';
    const secret = optionalText(root, 'Secret') ?? '';
    if (secret === '') return undefined;
    return username === '<token>' ? { kind: 'identity', token: secret } : { kind: 'basic', username, password: secret };
  });
}

/** @throws RootlessError AUTH_HELPER_FAILED, without what was to be stored */
export async function storeInHelper(name: string, server: string, credentials: Credentials): Promise<void> {
  const [username, secret] =
    credentials.kind === 'identity' ? ['<token>', credentials.token] : [credentials.username, credentials.password];
  const { code } = await run(name, 'store', JSON.stringify({ ServerURL: server, Username: username, Secret: secret }));
  if (code !== 0) throw failed(name, 'store', code);
}

/** What was not there is as good as erased. @throws RootlessError AUTH_HELPER_FAILED */
export async function eraseFromHelper(name: string, server: string): Promise<void> {
  const { code, output } = await run(name, 'erase', `${server}\n`);
  if (code !== 0 && !/not found/i.test(output)) throw failed(name, 'erase', code);
}

/** Servers that the helper knows. @throws RootlessError AUTH_HELPER_FAILED */
export async function listHelper(name: string): Promise<string[]> {
  const { code, output } = await run(name, 'list', '');
  if (code !== 0) throw failed(name, 'list', code);
  return parseJson(output, 'AUTH_HELPER_FAILED', `answer of docker-credential-${name}`, ({ value }) => Object.keys(value));
}

/** `code` undefined: there is no such program. */
type Answer = { readonly code: number | undefined; readonly output: string };

async function run(name: string, verb: 'get' | 'store' | 'erase' | 'list', input: string, signal?: AbortSignal): Promise<Answer> {
  if (!/^[A-Za-z0-9_.-]+$/.test(name)) {
    throw new RootlessError({
      code: 'AUTH_FILE_INVALID',
      message: 'a credential helper has an impossible name',
      why: 'it holds more than letters, digits, "_", "." and "-"',
    });
  }
  const answer = await new Promise<Answer>((resolve) => {
    const child = spawn(`docker-credential-${name}`, [verb], { stdio: ['pipe', 'pipe', 'ignore'], ...(signal ? { signal } : {}) });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stdin.on('error', () => {});
    child.once('error', () => resolve({ code: undefined, output: '' }));
    child.once('close', (code) => resolve({ code: code ?? 128, output: Buffer.concat(chunks).toString() }));
    child.stdin.end(input);
  });
  signal?.throwIfAborted();
  return answer;
}

function failed(name: string, verb: string, code: number | undefined): RootlessError {
  return new RootlessError({
    code: 'AUTH_HELPER_FAILED',
    message: `docker-credential-${name} cannot ${verb}`,
    why: code === undefined ? 'it is not installed, or not in PATH' : `it ended with ${code}`,
    fix: `take "${name}" out of credsStore and credHelpers of ~/.docker/config.json, or install it`,
  });
}
