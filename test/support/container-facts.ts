/** A container.json for tests that need one of no particular kind. */

import { type ContainerOptions, defaults } from '../../src/runtime/options.ts';
import type { Container } from '../../src/runtime/state.ts';

export function containerFacts(options: Partial<ContainerOptions> = {}): Container {
  const map = [{ containerID: 0, hostID: 1000, size: 1 }];
  return {
    id: '0'.repeat(64),
    name: 'some_name',
    image: 'image',
    imageId: undefined,
    base: { kind: 'host' },
    command: ['true'],
    created: '2026-01-01T00:00:00.000Z',
    maker: { pid: 0, startTime: '', bootId: '' },
    idMap: { uid: map, gid: map },
    mode: 'ranges',
    slot: false,
    remove: false,
    network: 'private',
    ports: [],
    labels: {},
    options: { ...defaults, image: 'image', ...options },
  };
}
