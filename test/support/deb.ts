/** A Debian package made by hand: an `ar` archive of two tars (deb(5)), with a maintainer script that needs more than one id. */

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes `lodger.deb` into the folder and returns its path. Its postinst makes a system user and hands files to it. */
export function lodgerPackage(folder: string): string {
  const tree = join(folder, 'lodger');
  mkdirSync(join(tree, 'DEBIAN'), { recursive: true });
  mkdirSync(join(tree, 'var/lib/lodger'), { recursive: true });
  writeFileSync(join(tree, 'var/lib/lodger/key'), 'secret\n');
  writeFileSync(join(tree, 'DEBIAN/control'), control);
  writeFileSync(join(tree, 'DEBIAN/postinst'), postinst);
  chmodSync(join(tree, 'DEBIAN/postinst'), 0o755);
  const path = join(folder, 'lodger.deb');
  const run = spawnSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '--build', tree, path], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`dpkg-deb: ${run.stderr}`);
  return path;
}

const control = `Package: lodger
Version: 1.0
Architecture: all
Maintainer: Nobody <nobody@example.org>
Description: a service with a user of its own
`;

const postinst = `#!/bin/sh
set -e
adduser --system --group --home /var/lib/lodger --no-create-home lodger
chown -R lodger:lodger /var/lib/lodger
chmod 600 /var/lib/lodger/key
`;
