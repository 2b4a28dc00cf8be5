/** registries.conf of podman, skopeo and buildah (containers-registries.conf(5), version 2, and 1 as it was): where names really lead. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RootlessError } from '../errors.ts';
import type { RegistryEnvironment } from '../paths.ts';
import { parseToml } from './toml.ts';
import { Fields, WrongField } from './toml-fields.ts';
import { TomlError } from './toml-scanner.ts';

export type Mirror = {
  readonly location: string;
  readonly insecure: boolean;
  readonly use: 'all' | 'digest-only' | 'tag-only';
};

/** One [[registry]]. */
export type RegistryRule = {
  /** `host[:port][/path]`, or `*.host`. */
  readonly prefix: string;
  /** Empty: as the prefix. */
  readonly location: string;
  readonly insecure: boolean;
  readonly blocked: boolean;
  readonly mirrors: readonly Mirror[];
};

export type RegistriesConf = {
  /** Registries of names that name none, in order. */
  readonly search: readonly string[];
  readonly mode: 'enforcing' | 'permissive' | 'disabled';
  readonly aliases: ReadonlyMap<string, string>;
  readonly rules: readonly RegistryRule[];
};

/** Later files win, rule by rule and alias by alias. Without any file everything is empty. @throws RootlessError REGISTRIES_CONF_INVALID */
export function readRegistriesConf(environment: RegistryEnvironment): RegistriesConf {
  let conf: RegistriesConf = { search: [], mode: 'permissive', aliases: new Map(), rules: [] };
  const main = environment.registriesFiles.map(readFile).find((file) => file !== undefined);
  const dropIns = environment.registriesFolders.flatMap((folder) => confFiles(folder)).map(readFile);
  for (const file of [main, ...dropIns, readFile(environment.aliasesFile)]) {
    if (file !== undefined) conf = merged(conf, interpret(file));
  }
  return conf;
}

type File = { readonly path: string; readonly text: string };

function readFile(path: string): File | undefined {
  try {
    return { path, text: readFileSync(path, 'utf8') };
  } catch {
    return undefined;
  }
}

function confFiles(folder: string): string[] {
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith('.conf'));
    return names.sort().map((name) => join(folder, name));
  } catch {
    return [];
  }
}

type Partly = Partial<Omit<RegistriesConf, 'mode'>> & { readonly mode?: RegistriesConf['mode'] | undefined };

function merged(conf: RegistriesConf, file: Partly): RegistriesConf {
  const rules = file.rules ?? [];
  const aliases = new Map([...conf.aliases, ...(file.aliases ?? [])]);
  return {
    search: file.search ?? conf.search,
    mode: file.mode ?? conf.mode,
    // An empty value takes an alias of an earlier file away.
    aliases: new Map([...aliases].filter(([, value]) => value !== '')),
    rules: [...conf.rules.filter(({ prefix }) => !rules.some((rule) => rule.prefix === prefix)), ...rules],
  };
}

function interpret({ path, text }: File): Partly {
  try {
    const root = new Fields(parseToml(text));
    return root.has('registries') ? versionOne(root.table('registries')) : versionTwo(root);
  } catch (cause) {
    const where = cause instanceof TomlError ? `line ${cause.line}: ${cause.message}` : (cause as Error).message;
    if (!(cause instanceof TomlError) && !(cause instanceof WrongField)) throw cause;
    throw new RootlessError({ code: 'REGISTRIES_CONF_INVALID', message: `invalid registries configuration "${path}"`, why: where });
  }
}

function versionTwo(root: Fields): Partly {
  const aliases = root.table('aliases');
  return {
    ...(root.has('unqualified-search-registries') && { search: root.texts('unqualified-search-registries').map(host) }),
    mode: root.oneOf('short-name-mode', ['enforcing', 'permissive', 'disabled']),
    aliases: new Map(aliases.keys().map((name) => [name, aliases.text(name)])),
    rules: root.tables('registry').map(rule),
  };
}

function rule(from: Fields): RegistryRule {
  const location = host(from.text('location'));
  const prefix = host(from.text('prefix')) || location;
  if (prefix === '') throw new WrongField('a [[registry]] has neither prefix nor location');
  const digestOnly = from.flag('mirror-by-digest-only');
  return {
    prefix,
    location,
    insecure: from.flag('insecure'),
    blocked: from.flag('blocked'),
    mirrors: from.tables('mirror').map((mirror) => {
      const use = mirror.oneOf('pull-from-mirror', ['all', 'digest-only', 'tag-only']) ?? 'all';
      return { location: host(mirror.text('location')), insecure: mirror.flag('insecure'), use: digestOnly ? 'digest-only' : use };
    }),
  };
}

/** The lists of 2017: no mirrors, no prefixes. */
function versionOne(from: Fields): Partly {
  const names = (key: string) => from.table(key).texts('registries').map(host);
  const [insecure, blocked] = [names('insecure'), names('block')];
  const rules = [...new Set([...insecure, ...blocked])].map((prefix) => ({
    prefix,
    location: '',
    insecure: insecure.includes(prefix),
    blocked: blocked.includes(prefix),
    mirrors: [],
  }));
  return { search: names('search'), rules };
}

/** People write URLs and slashes at the end. */
function host(text: string): string {
  return text.replace(/^https?:\/\//, '').replace(/\/+$/, '');
}
