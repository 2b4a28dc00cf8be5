/** A volume as tables, templates and `volume inspect` show it: docker's fields, and podman's where docker has none. */

import { usersOf } from '../runtime/volume-claims.ts';
import type { Volume } from '../runtime/volume-store.ts';
import type { Paths } from '../paths.ts';
import type { Row } from './format.ts';

/** docker's `volume ls`: everything is text. */
export function volumeRow(volume: Volume): Row {
  return {
    Availability: 'N/A',
    Driver: 'local',
    Group: 'N/A',
    Labels: Object.entries(volume.labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    Links: 'N/A',
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Scope: 'local',
    Size: 'N/A',
    Status: 'N/A',
  };
}

export function inspectVolume(paths: Paths, volume: Volume): Row {
  const { created, labels, mountpoint, name, options, anonymous } = volume;
  return {
    CreatedAt: created,
    Driver: 'local',
    Labels: labels,
    Mountpoint: mountpoint,
    Name: name,
    Options: options,
    Scope: 'local',
    Anonymous: anonymous,
    Containers: usersOf(paths, volume),
  };
}
