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

/** Writes `service.deb`: users, set-id programs, folders of others, and a postinst that runs programs as its user and tells who they were. */
export function servicePackage(folder: string): string {
  const tree = join(folder, 'service');
  for (const name of ['DEBIAN', 'usr/lib/service', 'etc/service', 'var/spool/service']) mkdirSync(join(tree, name), { recursive: true });
  writeFileSync(join(tree, 'usr/lib/service/helper'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(tree, 'usr/lib/service/write'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(tree, 'etc/service/secret'), 'secret\n');
  chmodSync(join(tree, 'var/spool/service'), 0o1777);
  writeFileSync(join(tree, 'DEBIAN/control'), control.replace('lodger', 'service'));
  writeFileSync(join(tree, 'DEBIAN/postinst'), servicePostinst, { mode: 0o755 });
  const path = join(folder, 'service.deb');
  const run = spawnSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '--build', tree, path], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`dpkg-deb: ${run.stderr}`);
  return path;
}

const servicePostinst = `#!/bin/sh
set -e
adduser --system --group --home /var/lib/service --shell /bin/sh service
dpkg-statoverride --update --add root mail 4754 /usr/lib/service/helper
chown root:tty /usr/lib/service/write
chmod 2755 /usr/lib/service/write
chgrp service /etc/service/secret
chmod 640 /etc/service/secret
install -d -o service -g adm -m 2751 /var/lib/service/shared
install -o service -g service -m 600 /dev/null /var/lib/service/key
{
  su service -c 'echo su $(id -u)'
  setpriv --reuid service --regid service --init-groups sh -c 'echo setpriv $(id -u) $(id -G)'
  runuser -u service -- sh -c 'echo runuser $(id -u)'
  start-stop-daemon --start --chuid service --pidfile /run/service.pid --startas /bin/sh -- -c 'echo ssd $(id -u)'
  perl -MPOSIX -e 'setgid(scalar getgrnam("service")); setuid(scalar getpwnam("service")); $> = 0; print "perl $< ", $( + 0, " ", ($> ? "no" : "back"), "\\n"'
} > /var/log/who
`;
