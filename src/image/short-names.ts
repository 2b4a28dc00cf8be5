/** `alpine` without a registry: what it may stand for, by aliases and search registries of registries.conf, else docker.io. */

import { RootlessError } from '../errors.ts';
import type { RegistryEnvironment } from '../paths.ts';
import { parseReference, type RegistryReference } from './reference.ts';
import { readRegistriesConf } from './registries-conf.ts';

/**
 * Full references in the order to be tried; the reference itself when it names its registry.
 * @throws RootlessError SHORT_NAME_AMBIGUOUS, REGISTRIES_CONF_INVALID
 */
export function fullNames(
  reference: RegistryReference,
  environment: RegistryEnvironment,
): readonly [RegistryReference, ...RegistryReference[]] {
  const { short } = reference;
  if (short === undefined) return [reference];
  const { aliases, search, mode } = readRegistriesConf(environment);
  const alias = aliases.get(short);
  if (alias !== undefined) return [withSuffix(alias, reference)];
  if (mode === 'enforcing' && search.length > 1) throw ambiguous(short, search);
  const [first = 'docker.io', ...rest] = search;
  return [withSuffix(`${first}/${short}`, reference), ...rest.map((registry) => withSuffix(`${registry}/${short}`, reference))];
}

function withSuffix(name: string, { tag, digest }: RegistryReference): RegistryReference {
  const tagged = tag === undefined ? '' : `:${tag}`;
  return parseReference(`${name}${tagged}${digest === undefined ? '' : `@${digest}`}`);
}

function ambiguous(short: string, search: readonly string[]): RootlessError {
  return new RootlessError({
    code: 'SHORT_NAME_AMBIGUOUS',
    message: `"${short}" does not say which registry it is in`,
    why: `registries.conf names several and asks for one (short-name-mode "enforcing")`,
    fix: `say which: ${search.map((registry) => `${registry}/${short}`).join(', ')}`,
  });
}
