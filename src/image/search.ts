/** What a registry holds: tags of a repository, its catalog, and the search that some of them still offer. */

import { RootlessError } from '../errors.ts';
import { readLimited } from './auth.ts';
import { digestOf } from './digest.ts';
import { list, object, optionalCount, optionalText, parseJson, requiredText } from './json.ts';
import { wholeRegistry } from './login.ts';
import { endpointsFor } from './mirrors.ts';
import { listPages } from './pages.ts';
import type { RegistryReference } from './reference.ts';
import { listReferrers, type Referrer } from './referrers.ts';
import { openRegistry } from './registry.ts';
import { fetchManifest } from './remote-manifest.ts';
import { type RegistrySettings, Session } from './session.ts';

/** One repository that a search found. */
export type Hit = {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly official: boolean;
  readonly automated: boolean;
};

const answerLimit = 4 * 1024 * 1024;

/** In the order of the alphabet, which not every registry keeps. @throws RootlessError REPOSITORY_NOT_FOUND, … */
export async function listTags(reference: RegistryReference, settings: RegistrySettings, signal?: AbortSignal): Promise<string[]> {
  const registry = openRegistry(reference, settings, signal);
  try {
    return (await registry.tags()).sort();
  } finally {
    registry.close();
  }
}

/** What is attached to an image: signatures, inventories, and the like. @throws RootlessError IMAGE_NOT_FOUND, … */
export async function listAttached(reference: RegistryReference, settings: RegistrySettings, signal?: AbortSignal): Promise<Referrer[]> {
  const session = new Session(reference, settings, signal, endpointsFor(reference, settings.environment).at(-1));
  try {
    const digest = reference.digest ?? digestOf(await fetchManifest(session, reference.tag ?? 'latest'));
    return await listReferrers(session, digest);
  } finally {
    session.http.close();
  }
}

/** Repositories of a registry that lists them. @throws RootlessError REGISTRY_FAILED, REGISTRY_UNAUTHORIZED, … */
export async function listRepositories(registry: string, settings: RegistrySettings, signal?: AbortSignal): Promise<string[]> {
  return await withRegistry(registry, registry, settings, signal, (session) => listPages(session, '/v2/_catalog?n=1000', 'repositories'));
}

/**
 * Docker Hub and some others answer questions about names (docker's registry API of version 1).
 * @returns undefined where there is no such service
 */
export async function searchByTerm(
  registry: string,
  term: string,
  limit: number,
  settings: RegistrySettings,
  signal?: AbortSignal,
): Promise<Hit[] | undefined> {
  const host = registry === 'docker.io' ? 'index.docker.io' : registry;
  return await withRegistry(registry, host, settings, signal, async (session) => {
    const response = await session.request(`/v1/search?${new URLSearchParams({ q: term, n: String(limit) })}`);
    if (response.statusCode !== 200) {
      response.destroy();
      return undefined;
    }
    const body = await readLimited(response, answerLimit);
    return parseJson(body, 'REGISTRY_LIST_INVALID', `answer of "${registry}"`, (root) =>
      list(root, 'results').map(({ value, at }) => {
        const hit = object(value, at);
        return {
          name: `${registry}/${requiredText(hit, 'name')}`,
          description: optionalText(hit, 'description') ?? '',
          stars: optionalCount(hit, 'star_count') ?? 0,
          official: hit.value['is_official'] === true,
          automated: hit.value['is_automated'] === true,
        };
      }),
    );
  });
}

async function withRegistry<T>(
  registry: string,
  host: string,
  settings: RegistrySettings,
  signal: AbortSignal | undefined,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const endpoint = endpointsFor(wholeRegistry(registry), settings.environment).at(-1);
  const place = host === registry && endpoint !== undefined ? endpoint : { registry: host };
  const session = new Session(wholeRegistry(registry), settings, signal, { ...place, repository: '' }, 'list');
  try {
    return await work(session);
  } finally {
    session.http.close();
  }
}

/** Whether a failure only says that there is no repository of that name. */
export function isUnknownRepository(error: unknown): boolean {
  return error instanceof RootlessError && (error.code === 'REPOSITORY_NOT_FOUND' || error.code === 'IMAGE_NOT_FOUND');
}
