/** A user of a machine as most are: a range of each kind of id, and both programs that map them. */

import type { Host } from '../../src/userns/host.ts';

const whole = [{ start: 0, size: 0xffffffff }];

export const ana: Host = {
  uid: 1000,
  gid: 100,
  name: 'ana',
  canMap: false,
  privilegesBarred: undefined,
  outer: { uid: whole, gid: whole },
  subids: { uid: [{ start: 100000, size: 65536 }], gid: [{ start: 200000, size: 65536 }] },
  mappers: { uid: { path: '/usr/bin/newuidmap', setuid: true }, gid: { path: '/usr/bin/newgidmap', setuid: true } },
};
