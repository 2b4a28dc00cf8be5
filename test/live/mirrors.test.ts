/** registries.conf with real registries: mirrors, other locations, blocked names, insecure ones, and names without a registry. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Options } from '../support/cli.ts';
import { withFaults } from '../support/faults.ts';
import { live } from '../support/live.ts';
import { done, refused, withLayout } from '../support/pushed.ts';
import { type TestRegistry, withProxy, withRegistry } from '../support/registry.ts';

const needs = ['userns', 'registry'] as const;

/** The environment of a registries.conf of this text. */
function conf({ folder }: TestRegistry, text: string): Options {
  const file = join(folder, 'registries.conf');
  writeFileSync(file, text);
  return { env: { CONTAINERS_REGISTRIES_CONF: file } };
}

live('a mirror is asked first, and the registry when the mirror does not know', needs, () =>
  withLayout([20_000], (layout) =>
    withRegistry({}, (mirror) =>
      withRegistry({}, async (origin) => {
        origin.push(layout, 'team/x:1');
        const options = conf(
          origin,
          `[[registry]]\nlocation = "${origin.host}"\n[[registry.mirror]]\nlocation = "localhost:1"\n[[registry.mirror]]\nlocation = "${mirror.host}/copies"\n`,
        );
        const name = `${origin.host}/team/x:1`;
        await done(['pull', '-q', name], options);
        await done(['rmi', name]);
        mirror.push(layout, 'copies/team/x:2');
        const pulled = await done(['pull', `${origin.host}/team/x:2`], options);
        assert.is(pulled.stdout, `${origin.host}/team/x:2\n`);
        const missing = await refused(['pull', `${origin.host}/team/x:3`], 'TAG_NOT_FOUND', options);
        assert.match(missing, /a mirror failed too: .*localhost:1/);
        assert.match(missing, /a mirror failed too: .*has no tag "3"/);
      }),
    ),
  ),
);

live('a layer that the mirror lost comes from the registry', needs, () =>
  withLayout([20_000, 30_000], (layout) =>
    withRegistry({}, async (origin) => {
      origin.push(layout, 'x:1');
      await withFaults(
        origin.port,
        ({ url, count }) => (url.includes('/blobs/') && count === 1 ? { status: 404 } : undefined),
        async (faulty) => {
          const options = conf(origin, `[[registry]]\nlocation = "${origin.host}"\n[[registry.mirror]]\nlocation = "${faulty.host}"\n`);
          await done(['pull', '-q', `${origin.host}/x:1`], options);
          assert.ok(faulty.log.some((line) => line.includes('/manifests/1')) && faulty.log.some((line) => line.includes('/blobs/')));
        },
      );
    }),
  ),
);

live('what is blocked is neither pulled nor pushed', needs, () =>
  withLayout([1000], (layout) =>
    withRegistry({}, async (registry) => {
      const name = registry.push(layout, 'bad/x:1');
      const options = conf(registry, `[[registry]]\nprefix = "${registry.host}/bad"\nblocked = true\n`);
      await refused(['pull', name], 'REGISTRY_BLOCKED', options);
      await done(['pull', '-q', name]);
      await refused(['push', name], 'REGISTRY_BLOCKED', options);
      await refused(['pull', name], 'REGISTRIES_CONF_INVALID', conf(registry, '[[registry]\n'));
    }),
  ),
);

live('an insecure registry may be spoken to in the clear, and one that is not named may not', needs, () =>
  withLayout([1000], (layout) =>
    withRegistry({}, async (registry) => {
      registry.push(layout, 'x:1');
      await withProxy(registry.port, async (url) => {
        const proxies = { http_proxy: url, HTTPS_PROXY: url, https_proxy: undefined, NO_PROXY: undefined, no_proxy: undefined };
        const { env } = conf(registry, '[[registry]]\nlocation = "registry.test"\ninsecure = true\n');
        await refused(['pull', 'registry.test/x:1'], 'REGISTRY_UNREACHABLE', { env: proxies });
        await done(['pull', '-q', 'registry.test/x:1'], { env: { ...env, ...proxies } });
        await done(['push', '-q', 'registry.test/x:1', 'registry.test/y:1'], { env: { ...env, ...proxies } });
        await refused(['pull', '--tls-verify=true', 'registry.test/x:1'], 'REGISTRY_UNREACHABLE', { env: { ...env, ...proxies } });
      });
    }),
  ),
);

live('a name without a registry is looked for where registries.conf says, and found again in the store', needs, () =>
  withLayout([1000], (layout) =>
    withRegistry({}, (first) =>
      withRegistry({}, async (second) => {
        second.push(layout, 'tool:1');
        second.push(layout, 'deep/app:2');
        const options = conf(
          second,
          `unqualified-search-registries = ["${first.host}", "${second.host}"]\n[aliases]\n"app" = "${second.host}/deep/app"\n`,
        );
        assert.is((await done(['pull', '-q', 'tool:1'], options)).stdout, `${second.host}/tool:1\n`);
        assert.is((await done(['pull', '-q', 'app:2'], options)).stdout, `${second.host}/deep/app:2\n`);
        const known = await done(['create', '--pull', 'never', 'app:2'], options);
        await done(['rm', known.stdout.trim()]);
        assert.match(await refused(['pull', 'nothing:1'], 'IMAGE_NOT_FOUND', options), /no registry of registries.conf has "nothing"/);
        assert.match((await done(['search', 'too'], options)).stdout, new RegExp(`${second.host}/tool`));
        await refused(
          ['pull', 'other:1'],
          'SHORT_NAME_AMBIGUOUS',
          conf(second, `unqualified-search-registries = ["a.test", "b.test"]\nshort-name-mode = "enforcing"\n`),
        );
      }),
    ),
  ),
);

live.run();
