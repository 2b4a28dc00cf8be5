/** Logging in: credentials are shown to the registry before they are kept. */

import { RootlessError } from '../errors.ts';
import type { Credentials, Place } from './credentials.ts';
import { parseReference, type RegistryReference } from './reference.ts';
import { type RegistrySettings, Session } from './session.ts';

/** `quay.io`, `quay.io/team`, `https://index.docker.io/v1/`. @throws RootlessError REFERENCE_INVALID */
export function parsePlace(text: string): Place {
  const bare = text.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  const [host = '', ...path] = bare.split('/');
  const name = /^v[12]$/.test(path.join('/')) ? '' : path.join('/');
  // The rules of references are those of registries: one that is made up here is checked by them.
  const probe = parseReference(`${/[.:]|^localhost$/.test(host) ? host : `${host}:443`}/${name === '' ? 'probe' : name}`, text);
  const registry = probe.registry.replace(host.includes(':') ? '' : /:443$/, '');
  if (/[:@]/.test(name)) {
    const message = `invalid registry "${text}"`;
    throw new RootlessError({ code: 'REFERENCE_INVALID', message, why: 'a login is for a registry or a namespace, not for a tag' });
  }
  return { registry, repository: name };
}

/**
 * What to keep of credentials that the registry accepts: a token for them, where its token server gives one.
 * @throws RootlessError REGISTRY_UNAUTHORIZED, REGISTRY_UNREACHABLE, …
 */
export async function login(
  { registry }: Place,
  credentials: Credentials,
  settings: RegistrySettings,
  signal?: AbortSignal,
): Promise<Credentials> {
  const session = new Session(wholeRegistry(registry), settings, signal, { registry, repository: '' }, 'login');
  try {
    const { response, refresh } = await session.login(credentials);
    if (response.statusCode !== 200) throw await session.refusal(response);
    response.resume();
    return refresh === undefined ? credentials : { kind: 'identity', token: refresh, username: credentials.username };
  } finally {
    session.http.close();
  }
}

/** A registry without any repository: its catalog, its front door. */
export function wholeRegistry(registry: string): RegistryReference {
  return {
    kind: 'registry',
    registry,
    repository: '',
    tag: undefined,
    digest: undefined,
    name: registry,
    typed: undefined,
    short: undefined,
  };
}
