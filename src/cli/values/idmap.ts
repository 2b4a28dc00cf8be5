/** `idmap` of -v and --mount: what no user can have. */

import { BadValue } from './bad.ts';

export function refuseIdmap(): never {
  throw new BadValue('id-mapped mounts are not possible here', {
    why: "the kernel gives them only to the owner of the filesystem's user namespace, which for a disk is root",
    fix: '--userns keep-id:uid=N,gid=N shows your files as those of another user',
  });
}
