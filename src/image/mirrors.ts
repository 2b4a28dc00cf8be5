/** Which servers a name really leads to, by the rules of registries.conf: mirrors first, the registry itself last. */

import { RootlessError } from '../errors.ts';
import type { RegistryEnvironment } from '../paths.ts';
import { type Mirror, readRegistriesConf, type RegistryRule } from './registries-conf.ts';
import type { RegistryReference } from './reference.ts';
import type { Endpoint } from './session.ts';

/** For pulling, in the order to be tried; never empty. @throws RootlessError REGISTRY_BLOCKED, REGISTRIES_CONF_INVALID */
export function endpointsFor(reference: RegistryReference, environment: RegistryEnvironment): readonly [Endpoint, ...Endpoint[]] {
  const rule = ruleFor(reference, readRegistriesConf(environment).rules);
  if (rule === undefined) return [plain(reference, false)];
  const wanted = reference.digest === undefined ? 'tag-only' : 'digest-only';
  const used = rule.mirrors.filter(({ use }) => use === 'all' || use === wanted);
  const own = relocated(reference, rule, { location: rule.location, insecure: rule.insecure });
  const [first = own, ...rest] = [...used.map((mirror) => ({ ...relocated(reference, rule, mirror), mirror: true })), own];
  return [first, ...rest];
}

/** For pushing: what is blocked and what is insecure counts, mirrors and other locations are for reading. */
export function locateForPush(reference: RegistryReference, environment: RegistryEnvironment): Endpoint {
  return plain(reference, ruleFor(reference, readRegistriesConf(environment).rules)?.insecure === true);
}

function plain({ registry, repository }: RegistryReference, insecure: boolean): Endpoint {
  return { registry, repository, insecure };
}

/** The one with the longest prefix. */
function ruleFor(reference: RegistryReference, rules: readonly RegistryRule[]): RegistryRule | undefined {
  const fitting = rules.filter((rule) => matched(reference, rule.prefix) !== undefined);
  const [best] = fitting.sort((a, b) => b.prefix.length - a.prefix.length);
  if (best?.blocked !== true) return best;
  throw new RootlessError({
    code: 'REGISTRY_BLOCKED',
    message: `registry "${reference.registry}" is blocked for "${reference.name}"`,
    why: `registries.conf says so of "${best.prefix}"`,
  });
}

/** The beginning of the name that a prefix stands for; `*.example.com` stands for a whole host. */
function matched({ registry, name }: RegistryReference, prefix: string): string | undefined {
  if (prefix.startsWith('*.')) return registry.replace(/:[0-9]+$/, '').endsWith(prefix.slice(1)) ? registry : undefined;
  return name === prefix || (name.startsWith(prefix) && /[/:@]/.test(name[prefix.length] ?? '')) ? prefix : undefined;
}

function relocated(
  reference: RegistryReference,
  rule: RegistryRule,
  { location, insecure }: Pick<Mirror, 'location' | 'insecure'>,
): Endpoint {
  const { registry, repository } = reference;
  const from = matched(reference, rule.prefix) ?? registry;
  if (location === '' || location === from) return { registry, repository, insecure };
  const path = location + `${registry}/${repository}`.slice(from.length);
  const slash = path.indexOf('/');
  return { registry: path.slice(0, slash), repository: path.slice(slash + 1), insecure };
}
