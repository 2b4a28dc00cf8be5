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
export function refused(reference: RegistryReference, answer: Answer): RootlessError {
  const { registry, purpose, status, loggedIn, retryAfter } = answer;
  const why = registrySays(answer.body);
  if (purpose === 'login' && (status === 401 || status === 404)) return loginRefused(registry, status, why);
  const what = `${verbs[purpose]} ${purpose === 'login' ? 'it' : `"${reference.name}"`}`;
  const login = loggedIn ? undefined : `rootless login ${registry}`;
  const error = (code: string, message: string, reason = why, fix?: string) =>
    new RootlessError({ code, message: `registry "${registry}" ${message}`, why: reason, fix });
  switch (status) {
    case 401: {
      const missing = purpose === 'pull' ? 'the image does not exist there, or needs a login' : undefined;
      return error('REGISTRY_UNAUTHORIZED', `does not let ${loggedIn ? 'this login' : 'strangers'} ${what}`, why ?? missing, login);
    }
    case 403:
      return error('REGISTRY_DENIED', `forbids to ${what}`, why, login);
    case 404:
      return missing(reference, purpose, error);
    case 405:
      return error('REGISTRY_READONLY', `does not let anybody ${what}`, why ?? 'it answered 405, as registries do that only mirror others');
    case 413:
      return error('REGISTRY_TOO_LARGE', `or a proxy before it finds a part of "${reference.name}" too large`);
    case 429: {
      const wait = retryAfter === undefined ? why : `it asks to wait: Retry-After ${retryAfter}`;
      return error(
        'REGISTRY_RATE_LIMITED',
        'limits how often images are pulled',
        wait,
        login && `${login}, which usually raises the limit`,
      );
    }
    default:
      return error(status >= 500 ? 'REGISTRY_UNREACHABLE' : 'REGISTRY_FAILED', `answered ${status} for "${reference.name}"`);
  }
}

function missing(
  { name, repository }: RegistryReference,
  purpose: Purpose,
  error: (code: string, message: string) => RootlessError,
): RootlessError {
  if (purpose === 'pull') return error('IMAGE_NOT_FOUND', `has no image "${name}"`);
  if (repository === '') return error('REGISTRY_FAILED', 'does not list its repositories');
  return error('REPOSITORY_NOT_FOUND', `has no repository "${repository}"`);
}

function loginRefused(registry: string, status: number, why: string | undefined): RootlessError {
  if (status === 404) {
    return new RootlessError({ code: 'REPOSITORY_NOT_FOUND', message: `"${registry}" is not a registry`, why: why ?? 'it has no /v2/' });
  }
  const reason = why ?? 'the user name or the password is wrong';
  return new RootlessError({ code: 'REGISTRY_UNAUTHORIZED', message: `registry "${registry}" refused the login`, why: reason });
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
  if (/_ALERT_.*CERTIFICATE|_ALERT_HANDSHAKE_FAILURE/.test(code)) {
    return new RootlessError({
      code: 'REGISTRY_TLS',
      message: `registry "${host}" does not accept our certificate, or that we show none`,
      why: code,
      fix: `put a certificate and its key into ~/.config/containers/certs.d/${host}/ as client.cert and client.key`,
      cause,
    });
  }
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
