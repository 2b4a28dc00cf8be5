/** Ranges in /etc/subuid that change: what has the old ids is found, named, and moved. */

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { mode, uid } from '../support/checkout.ts';
import { data, rootless } from '../support/cli.ts';
import { busyboxImage } from '../support/images.ts';
import { live } from '../support/live.ts';
import { done } from '../support/pushed.ts';

const needs = ['userns', 'busybox'] as const;
const ranged = mode === 'ranges' || (mode === 'self' && uid !== 0);

if (ranged) {
  const first = Number(new RegExp(`^${userInfo().username}:(\\d+):`, 'm').exec(readFileSync('/etc/subuid', 'utf8'))?.[1]);
  const left = `${first}-${first + 99}`;
  const flags = ['--network', 'none', '-v', 'kept:/data'];

  live('system migrate moves containers and volumes to other ids, and their owners stay', needs, async () => {
    const script = 'touch /tmp/own /data/own && chown 33:44 /tmp/own && chown 7 /data/own && chmod 4755 /tmp/own';
    await done(['run', '--name', 'mover', ...flags, busyboxImage(), 'sh', '-c', `${script}; sleep 0`]);
    await done(['create', '--name', 'lookout', ...flags, busyboxImage(), 'stat', '-c', '%u:%g %a', '/data/own']);
    assert.is((await done(['system', 'migrate'])).stdout, 'nothing to migrate\n');
    const { stdout } = await done(['system', 'migrate', '--leave', left]);
    assert.match(stdout, /^migrated: .*container mover.*volume kept/);
    const { id, idMap } = described('mover');
    assert.not.ok(JSON.stringify(idMap.uid).includes(`"hostID":${first},`));
    assert.ok(statSync(join(data, 'containers', id, 'upper/tmp/own')).uid >= first + 100);
    await done(['commit', 'mover', 'moved:1']);
    const after = ['run', '--rm', '--network', 'none', 'moved:1', 'stat', '-c', '%u:%g %a', '/tmp/own'];
    assert.is((await done(after)).stdout, '33:44 4755\n');
    assert.is((await done(['start', '-a', 'lookout'])).stdout, '7:0 644\n');
    assert.is((await done(['start', '-a', 'mover'])).code, 0);
    assert.is((await done(['system', 'migrate', '--leave', `${first}-${first}`, '--leave', left])).code, 0);
    await done(['rm', 'mover', 'lookout']);
    await done(['volume', 'rm', 'kept']);
  });

  live('a container that runs is not moved, and nothing else is', needs, async () => {
    await done(['run', '-d', '--name', 'runner', '--network', 'none', busyboxImage(), 'sleep', '60']);
    const { code, stderr } = await rootless(['--debug', 'system', 'migrate', '--leave', left]);
    assert.is(code, 1, stderr);
    assert.match(stderr, /CONTAINER_RUNNING/);
    await done(['rm', '-f', '-t', '0', 'runner']);
  });

  live('a container whose ids are not the own ones any more is refused with the commands that help', needs, async () => {
    await done(['create', '--name', 'old', '--network', 'none', busyboxImage(), 'true']);
    const { id } = described('old');
    const file = join(data, 'containers', id, 'container.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replaceAll(`"hostID":${first},`, '"hostID":3000000000,'));
    for (const words of [
      ['start', 'old'],
      ['system', 'migrate'],
      ['system', 'migrate', '--leave', '3000000000-3000065535'],
    ]) {
      const { code, stderr } = await rootless(['--debug', ...words]);
      assert.not.equal(code, 0);
      assert.match(stderr, /SUBID_CHANGED/);
      assert.match(stderr, /--add-subuids 3000000000-30000\d+ .*system migrate --leave 3000000000-.*--del-subuids/);
    }
    writeFileSync(file, text);
    await done(['rm', 'old']);
  });

  live('ranges that cannot be left are said', needs, async () => {
    for (const text of ['', '5', '9-5', '1-4294967295']) {
      const { code, stderr } = await rootless(['system', 'migrate', '--leave', text]);
      assert.is(code, 125);
      assert.match(stderr, /invalid range/);
    }
  });
}

type Described = { readonly id: string; readonly name: string; readonly idMap: { readonly uid: unknown } };

function described(name: string): Described {
  const folder = join(data, 'containers');
  const all = readdirSync(folder).map((id) => JSON.parse(readFileSync(join(folder, id, 'container.json'), 'utf8')) as Described);
  const found = all.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no container ${name}`);
  return found;
}

live.run();
