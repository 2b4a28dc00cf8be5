/** Values of the flags about disks, cgroups and inits; what cgroup v2 does not have is refused with the reason. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BadValue } from '../../src/cli/values/bad.ts';
import { parseDeviceRate, parseDeviceSpeed, parseDeviceWeight, parseWeight } from '../../src/cli/values/block-io.ts';
import {
  parseCgroupFile,
  parseCgroupns,
  parseCgroups,
  parseParent,
  parseSystemd,
  refuseOomKill,
  refuseRealTime,
  refuseSwappiness,
} from '../../src/cli/values/cgroup.ts';

const disk = (path: string, value: number) => ({ path, value });

function table<T>(flag: string, parse: (text: string) => T, good: readonly (readonly [string, T])[], bad: readonly string[]): void {
  test(`${flag} reads what docker reads`, () => {
    for (const [text, value] of good) assert.equal(parse(text), value, text);
    for (const text of bad) assert.throws(() => parse(text), (error: unknown) => error instanceof BadValue, text); // biome-ignore format: a table
  });
}

table('--blkio-weight', parseWeight, [['0', 0], ['10', 10], ['1000', 1000]], ['9', '1001', '-1', 'x', '']); // biome-ignore format: a table
table('--blkio-weight-device', parseDeviceWeight, [['/dev/sda:200', disk('/dev/sda', 200)]], ['/dev/sda', '/dev/sda:5', 'sda:200', ':200']); // biome-ignore format: a table
table('--device-read-bps', parseDeviceSpeed, [['/dev/sda:1mb', disk('/dev/sda', 1 << 20)], ['/dev/disk/by-id/a:b:512', disk('/dev/disk/by-id/a:b', 512)]], ['/dev/sda:fast', '/dev/sda:', '/etc/passwd:1']); // biome-ignore format: a table
table('--device-write-iops', parseDeviceRate, [['/dev/sda:100', disk('/dev/sda', 100)]], ['/dev/sda:1mb', '/dev/sda:-1']); // biome-ignore format: a table
table('--cgroup-conf', parseCgroupFile, [['memory.high=1G', ['memory.high', '1G'] as const], ['hugetlb.2MB.max=0', ['hugetlb.2MB.max', '0'] as const]], ['memory.high', 'memory=1', '../x.y=1', 'a/b.c=1', 'cgroup.procs=1', 'cgroup.freeze=1', '=', '']); // biome-ignore format: a table
table('--cgroup-parent', parseParent, [['/a/b/', '/a/b'], ['my.slice', 'my.slice'], ['x/y', 'x/y']], ['', '/', '../x', '/a/../b', '/a//b']); // biome-ignore format: a table
table('--cgroups', parseCgroups, [['no-conmon', 'no-conmon' as const], ['split', 'split' as const]], ['', 'off']); // biome-ignore format: a table
table('--cgroupns', parseCgroupns, [['host', 'host' as const], ['private', 'private' as const]], ['', 'container:x']); // biome-ignore format: a table
table('--systemd', parseSystemd, [['true', 'auto' as const], ['false', 'never' as const], ['always', 'always' as const]], ['', 'yes']); // biome-ignore format: a table
table('--memory-swappiness', refuseSwappiness, [['-1', undefined]], ['0', '60', '101', 'x']);
table('--oom-kill-disable', refuseOomKill, [['false', undefined]], ['true', '']);
table('--cpu-rt-runtime', refuseRealTime, [['0', undefined]], ['1', '-1']);

test.run();
