/** What went wrong with a registry, in words: from status codes, error bodies (distribution-spec, "Error Codes") and errnos. Pure. */

import { RootlessError } from '../errors.ts';
import { list, object, optionalText, parseJson } from './json.ts';
import type { RegistryReference } from './reference.ts';

/** What a conversation is for; it decides the scope of tokens and the words of errors. */
export type Purpose = 'pull' | 'push' | 'list' | 'login';

export type Answer = {
  /** Who answered. */
  readonly registry: string;
  readonly purpose: Purpose;
  readonly status: number;
  readonly body: Uint8Array;
  readonly loggedIn: boolean;
  readonly retryAfter: string | undefined;
};

const verbs = { pull: 'pull', push: 'push to', list: 'read', login: 'enter' } as const;

/** For an answer that is neither success nor worth another attempt. */
export function refused({ name, repository }: RegistryReference, answer: Answer): RootlessError {
  const { registry, purpose, status, loggedIn, retryAfter } = answer;
  const why = registrySays(answer.body);
  const verb = verbs[purpose];
  const what = purpose === 'login' ? 'it' : `"${name}"`;
  const login = loggedIn ? undefined : `rootless login ${registry}`;
  switch (status) {
    case 401:
      return new RootlessError({
        code: 'REGISTRY_UNAUTHORIZED',
        message: `registry "${registry}" does not let ${loggedIn ? 'this login' : 'strangers'} ${verb} ${what}`,
        why: why ?? (purpose === 'pull' ? 'the image does not exist there, or needs a login' : undefined),
        fix: login,
      });
    case 403:
      return new RootlessError({ code: 'REGISTRY_DENIED', message: `registry "${registry}" forbids to ${verb} ${what}`, why, fix: login });
    case 404:
      if (purpose === 'pull') {
        return new RootlessError({ code: 'IMAGE_NOT_FOUND', message: `registry "${registry}" has no image "${name}"`, why });
      }
      return new RootlessError({
        code: 'REPOSITORY_NOT_FOUND',
        message: purpose === 'login' ? `"${registry}" is not a registry` : `registry "${registry}" has no repository "${repository}"`,
        why: why ?? (purpose === 'login' ? 'it has no /v2/' : undefined),
      });
    case 405:
      return new RootlessError({
        code: 'REGISTRY_READONLY',
        message: `registry "${registry}" does not take that: ${verb} ${what}`,
        why: why ?? 'it answered 405: the operation is not offered there, as in registries that only mirror others',
      });
    case 413:
      return new RootlessError({
        code: 'REGISTRY_TOO_LARGE',
        message: `registry "${registry}", or a proxy before it, finds a part of "${name}" too large`,
        why,
      });
    case 429:
      return new RootlessError({
        code: 'REGISTRY_RATE_LIMITED',
        message: `registry "${registry}" limits how often images are pulled`,
        why: retryAfter === undefined ? why : `it asks to wait: Retry-After ${retryAfter}`,
        fix: login === undefined ? undefined : `${login}, which usually raises the limit`,
      });
    default:
      return new RootlessError({
        code: status >= 500 ? 'REGISTRY_UNREACHABLE' : 'REGISTRY_FAILED',
        message: `registry "${registry}" answered ${status} for ${purpose === 'login' ? '/v2/' : `"${name}"`}`,
        why,
      });
  }
}

/** The tag is unknown but the repository is not. */
export function tagNotFound(reference: RegistryReference, tags: readonly string[]): RootlessError {
  const what = reference.digest ?? `tag "${reference.tag}"`;
  const shown = tags.slice(-12);
  return new RootlessError({
    code: reference.digest === undefined ? 'TAG_NOT_FOUND' : 'IMAGE_NOT_FOUND',
    message: `image "${reference.registry}/${reference.repository}" has no ${what}`,
    why:
      tags.length === 0 ? undefined : `it has ${tags.length > shown.length ? `${tags.length} tags, among them ` : ''}${shown.join(', ')}`,
  });
}

/** For a request that got no answer. `cause` is what node threw. */
export function unreachable(host: string, cause: NodeJS.ErrnoException): RootlessError {
  const code = cause.code ?? '';
  if (isCertificateProblem(code)) {
    return new RootlessError({
      code: 'REGISTRY_TLS',
      message: `cannot trust the certificate of registry "${host}"`,
      why: cause.message,
      fix: `put its authority's certificate into ~/.config/containers/certs.d/${host}/ca.crt, or use --tls-verify=false`,
      cause,
    });
  }
  return new RootlessError({
    code: 'REGISTRY_UNREACHABLE',
    message: `cannot reach registry "${host}"`,
    why: reasons[code] ?? cause.message,
    cause,
  });
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (ECONNREFUSED)',
  ENOTFOUND: 'its name does not exist (ENOTFOUND)',
  EAI_AGAIN: 'names cannot be looked up now (EAI_AGAIN)',
  ENETUNREACH: 'the network is unreachable (ENETUNREACH)',
  EHOSTUNREACH: 'no way leads to the host (EHOSTUNREACH)',
  ECONNRESET: 'the connection was cut (ECONNRESET)',
  EPROTO: 'it does not speak TLS; --tls-verify=false allows plain HTTP',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS; --tls-verify=false allows plain HTTP',
};

/** Worth another attempt: the same request may go well a moment later. */
export function isPassing(cause: NodeJS.ErrnoException): boolean {
  return ['ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'EAI_AGAIN', 'ECONNABORTED', 'HPE_INVALID_EOF_STATE'].includes(cause.code ?? '');
}

export function isCertificateProblem(code: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_/.test(code) && code !== 'ERR_SSL_WRONG_VERSION_NUMBER';
}

/** The registry's own words, cut and without control characters: they go to a terminal. */
function registrySays(body: Uint8Array): string | undefined {
  try {
    const said = parseJson(body, 'BODY', 'body', (root) =>
      list(root, 'errors').map(({ value, at }) => {
        const error = object(value, at);
        return [optionalText(error, 'code'), optionalText(error, 'message')].filter(Boolean).join(': ');
      }),
    );
    return (
      said
        .join('; ')
        .replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?')
        .slice(0, 300) || undefined
    );
  } catch {
    return undefined;
  }
}
