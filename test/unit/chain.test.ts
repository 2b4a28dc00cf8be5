/** Locks that the dead cannot keep: processes fight for one, are killed while they have it, and there are never two holders. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readlinkSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isNext, takeChain } from '../../src/chain.ts';
import { startTime } from '../../src/liveness.ts';
import { withTmp } from '../support/tmp.ts';

/** This file is also the program of those who fight: it gets the folder. */
const arena = process.env['CHAIN_ARENA'];

const chainAt = (path: string, own: string, isDead: (holder: string) => boolean) => ({
  path,
  make: (file: string) => {
    try {
      symlinkSync(own, file);
      return true;
    } catch {
      return false;
    }
  },
  holderOf: (file: string) => {
    try {
      return readlinkSync(file);
    } catch {
      return undefined;
    }
  },
  isDead,
});

/** Takes and gives back until it dies with the lock. The folder `inside` cannot be made by two at once. */
function fight(folder: string): never {
  const own = `${process.pid} ${startTime('self')}`;
  const isDead = (holder: string) => {
    const [pid = '', began] = holder.split(' ');
    return startTime(pid) !== began;
  };
  for (let wins = 1 + Math.floor(Math.random() * 40); ; ) {
    const release = takeChain(chainAt(join(folder, 'lock'), own, isDead));
    if (release === undefined) continue;
    try {
      mkdirSync(join(folder, 'inside'));
    } catch {
      writeFileSync(join(folder, 'two'), own);
    }
    rmdirSync(join(folder, 'inside'));
    wins -= 1;
    if (wins === 0) process.kill(process.pid, 'SIGKILL');
    release();
  }
}

if (arena !== undefined) fight(arena);

test('whoever is killed with the lock keeps nobody out, and there are never two who have it', () =>
  withTmp(async (folder) => {
    const env = { ...process.env, CHAIN_ARENA: folder };
    const lives = async () => {
      for (let life = 0; life < 5; life += 1) {
        const [code, signal] = await once(spawn(process.execPath, [fileURLToPath(import.meta.url)], { env, stdio: 'inherit' }), 'exit');
        assert.equal([code, signal], [null, 'SIGKILL']);
      }
    };
    await Promise.all([lives(), lives(), lives(), lives()]);
    assert.not.ok(readdirSync(folder).includes('two'), 'two had it');
    const last = takeChain(chainAt(join(folder, 'lock'), 'last', (holder) => startTime(holder.split(' ')[0] ?? '') === undefined));
    assert.ok(last);
    last();
    assert.equal(readdirSync(folder), [], 'nothing of the dead is left');
  }));

test('a lock that was given back and taken anew between two looks is seen', () =>
  withTmp((folder) => {
    const path = join(folder, 'lock');
    symlinkSync('dead', path);
    const chain = chainAt(path, 'slow', (holder) => holder === 'dead');
    let looked = false;
    const result = takeChain({
      ...chain,
      isDead: (holder) => {
        const dead = chain.isDead(holder);
        // After the first look somebody else gives back what he had behind the dead one, and another one takes it.
        if (!looked) {
          spawnless(path);
          looked = true;
        }
        return dead;
      },
    });
    assert.is(result, undefined);
    assert.equal(readdirSync(folder), ['lock']);
    assert.is(readlinkSync(path), 'living');
  }));

function spawnless(path: string): void {
  const before = takeChain(chainAt(path, 'before', (holder) => holder === 'dead'));
  before?.();
  takeChain(chainAt(path, 'living', () => false));
}

test('the files behind the first are known by their names', () => {
  assert.equal(['a/lock', 'a/lock.next-1', 'x.next-', 'x.next-12'].map(isNext), [false, true, false, true]);
});

test.run();
