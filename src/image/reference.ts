/** What the user named: an image reference or a local source, parsed once into a value. */

import { RootlessError } from '../errors.ts';
import { type Digest, parseDigest } from './digest.ts';

/** An image in a registry; `name` is canonical: `docker.io/library/alpine:latest`. */
export type RegistryReference = {
  readonly kind: 'registry';
  /** As written in references: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly registry: string;
  readonly repository: string;
  /** `latest` when neither tag nor digest was given. */
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
  readonly name: string;
  /** As typed, when it has neither registry nor tag, or is `sha256:` and hex digits: it may also be an image id. */
  readonly typed: string | undefined;
  /** The name as typed, without tag and digest, when it names no registry: registries.conf may know a better one than docker.io. */
  readonly short: string | undefined;
};

export type ImageSource =
  | RegistryReference
  | { readonly kind: 'oci'; readonly dir: string; readonly tag: string | undefined }
  | { readonly kind: 'oci-archive'; readonly file: string; readonly tag: string | undefined }
  | { readonly kind: 'docker-archive'; readonly file: string; readonly tag: string | undefined }
  | { readonly kind: 'rootfs'; readonly dir: string }
  | { readonly kind: 'host' }
  | { readonly kind: 'embedded'; readonly name: string };

const component = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const host =
  /^(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;
const tagRule = /^\w[\w.-]{0,127}$/;

/**
 * Parses IMAGE of the command line. Pure: nothing is looked up.
 * @throws RootlessError REFERENCE_INVALID
 */
export function parseImageSource(text: string): ImageSource {
  const colon = text.indexOf(':');
  const scheme = colon < 0 ? '' : text.slice(0, colon);
  const rest = text.slice(colon + 1);
  switch (scheme) {
    case 'oci': {
      const [dir, tag] = pathAndTag(text, rest);
      return { kind: 'oci', dir, tag };
    }
    case 'oci-archive':
    case 'docker-archive': {
      const [file, tag] = pathAndTag(text, rest);
      return { kind: scheme, file, tag };
    }
    case 'rootfs':
      if (rest === '') throw invalid(text, 'a folder must follow "rootfs:"');
      return { kind: 'rootfs', dir: rest };
    case 'embedded':
      if (!component.test(rest)) throw invalid(text, 'the name of an embedded image must follow "embedded:"');
      return { kind: 'embedded', name: rest };
    case 'host':
      if (rest === '') return { kind: 'host' };
      break;
    case 'docker':
      if (rest.startsWith('//')) return parseReference(rest.slice(2), text);
      break;
  }
  return parseReference(text);
}

/** Parses a registry reference by docker's rules; short names belong to docker.io. */
export function parseReference(text: string, shown = text): RegistryReference {
  const at = text.indexOf('@');
  const named = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : parseDigest(text.slice(at + 1));
  if (at >= 0 && digest === undefined) throw invalid(shown, 'what follows "@" must be sha256: and 64 hex digits, or sha512: and 128');
  const colon = named.lastIndexOf(':');
  const tagged = colon > named.lastIndexOf('/');
  const tag = tagged ? named.slice(colon + 1) : digest === undefined ? 'latest' : undefined;
  if (tag !== undefined && !tagRule.test(tag))
    throw invalid(shown, 'a tag is 1 to 128 letters, digits, "_", "." or "-" and does not start with "." or "-"');
  const { registry, repository, short } = splitName(tagged ? named.slice(0, colon) : named, shown);
  const name = `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
  return { kind: 'registry', registry, repository, tag, digest, name, typed: isId(text) || !/[:/@]/.test(text) ? text : undefined, short };
}

/** `sha256:…` as docker prints ids: an image of the store and nothing else, although it could be a repository "sha256" by its form. */
export function isId(text: string): boolean {
  return /^sha256:[0-9a-f]{4,64}$/.test(text);
}

/** The short form that people type: `alpine` for `docker.io/library/alpine`, without tag or digest. */
export function familiarName(reference: RegistryReference): string {
  if (reference.registry !== 'docker.io') return `${reference.registry}/${reference.repository}`;
  return reference.repository.replace(/^library\/(?=[^/]+$)/, '');
}

function splitName(name: string, shown: string): { registry: string; repository: string; short: string | undefined } {
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const explicit = first !== '' && (/[.:[]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  let registry = explicit ? first : 'docker.io';
  let repository = explicit ? name.slice(slash + 1) : name;
  if (registry === 'index.docker.io') registry = 'docker.io';
  if (registry === 'docker.io' && !repository.includes('/')) repository = `library/${repository}`;
  if (!host.test(registry) || Number(/:([0-9]+)$/.exec(registry)?.[1] ?? 0) > 65535) {
    throw invalid(shown, `"${registry}" is not a registry host`);
  }
  if (name === '') throw invalid(shown, 'the name is empty');
  if (repository !== repository.toLowerCase()) throw invalid(shown, 'a repository name must be lower case');
  if (/^https?:$/.test(name.slice(0, slash))) throw invalid(shown, 'a reference has no "http://" or "https://" before it');
  if (!repository.split('/').every((part) => component.test(part))) {
    throw invalid(shown, 'a repository name is lower-case letters and digits, parted by ".", "_", "__", "-" or "/"');
  }
  if (registry.length + repository.length > 254) throw invalid(shown, 'a repository name has at most 255 characters');
  return { registry, repository, short: explicit ? undefined : name };
}

/** `PATH[:TAG]`, parted at the first colon as skopeo and podman do, so a tag may itself be a whole reference. */
function pathAndTag(text: string, rest: string): [string, string | undefined] {
  const colon = rest.indexOf(':');
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  if (path === '') throw invalid(text, 'a path must follow the first ":"');
  if (tag === '') throw invalid(text, 'a tag must follow the second ":"');
  return [path, tag];
}

function invalid(text: string, why: string): RootlessError {
  return new RootlessError({ code: 'REFERENCE_INVALID', message: `invalid image reference "${text}"`, why });
}
