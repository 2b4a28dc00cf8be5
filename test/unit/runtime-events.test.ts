/** The journal of events: appended whole, begun anew when it is long, read and followed. */

import { appendFileSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findPaths, type Paths } from '../../src/paths.ts';
import { type Event, journalLimit, journals, tellContainer, tellEvent } from '../../src/runtime/events.ts';
import { followEvents, readEvents } from '../../src/runtime/events-read.ts';
import { withTmp } from '../support/tmp.ts';

const inFolder = (data: string): Paths => findPaths({ HOME: data, ROOTLESS_DATA: data, XDG_RUNTIME_DIR: data });
const event = (action: string, id = 'x') => ({ type: 'container', action, id, attributes: { name: 'web' } }) as const;
const actions = (events: readonly Event[]) => events.map(({ action }) => action);

test('what is told is read back, oldest first, with its time', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    tellEvent(paths, event('create'), new Date('2026-01-01T00:00:00Z'));
    tellEvent(paths, event('start'), new Date('2026-01-01T00:00:01Z'));
    const [first, second] = readEvents(paths);
    assert.equal(first, { time: '2026-01-01T00:00:00.000Z', ...event('create') });
    assert.is(second?.action, 'start');
    assert.equal(actions(readEvents(paths, { since: Date.parse('2026-01-01T00:00:01Z') })), ['start']);
    assert.equal(actions(readEvents(paths, { until: Date.parse('2026-01-01T00:00:00Z') })), ['create']);
  }));

test("a container's event has its labels, and its name and image win over labels of those names", () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    tellContainer(paths, { id: 'i', name: 'web', image: 'alpine', labels: { name: 'other', tier: 'db' } }, 'rename', { oldName: 'w' });
    assert.equal(readEvents(paths)[0]?.attributes, { name: 'web', image: 'alpine', tier: 'db', oldName: 'w' });
  }));

test('no journal is no event, and where none can be written nothing fails', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    assert.equal(readEvents(paths), []);
    tellEvent({ ...paths, data: join(folder, 'missing') }, event('create'));
    assert.equal(readEvents({ ...paths, data: join(folder, 'missing') }), []);
  }));

test('torn and foreign lines are passed over', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    writeFileSync(journals(paths)[0], '{"time":"2026-01-01T00:00:00Z","type":"cont\nnonsense\n[]\nnull\n{"time":1}\n');
    tellEvent(paths, event('start'));
    appendFileSync(journals(paths)[0], '{"time":"2026-01-01T00:00:00Z","type":"container","action":"half"');
    assert.equal(actions(readEvents(paths)), ['start']);
  }));

test('a long journal is set aside once, and both are read', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    const [journal, older] = journals(paths);
    tellEvent(paths, event('first'));
    appendFileSync(journal, `${' '.repeat(journalLimit)}\n`);
    tellEvent(paths, event('second'));
    assert.not(statSync(journal, { throwIfNoEntry: false }));
    tellEvent(paths, event('third'));
    assert.ok(readFileSync(older, 'utf8').includes('first'));
    assert.equal(actions(readEvents(paths)), ['first', 'second', 'third']);
    assert.is(statSync(journal).mode & 0o777, 0o600);
  }));

test('whoever holds the lock sets it aside; a lock of one that died is taken away', () =>
  withTmp((folder) => {
    const paths = inFolder(folder);
    const [journal, older] = journals(paths);
    writeFileSync(`${journal}.lock`, '');
    appendFileSync(journal, `${' '.repeat(journalLimit)}\n`);
    tellEvent(paths, event('held'));
    assert.not(statSync(older, { throwIfNoEntry: false }));
    assert.ok(statSync(journal).size > journalLimit);
  }));

/** Takes `count` events, then stops. */
async function take(events: AsyncGenerator<Event>, count: number, work?: () => void): Promise<string[]> {
  const seen: string[] = [];
  const first = events.next();
  work?.();
  for (let next = await first; !next.done; next = await events.next()) {
    seen.push(next.value.action);
    if (seen.length === count) break;
  }
  await events.return(undefined);
  return seen;
}

test('followers see what happens from now on, also in a journal that does not exist yet', () =>
  withTmp(async (folder) => {
    const paths = inFolder(folder);
    assert.equal(await take(followEvents(paths, {}), 1, () => tellEvent(paths, event('create'))), ['create']);
    assert.equal(await take(followEvents(paths, {}), 1, () => tellEvent(paths, event('start'))), ['start']);
  }));

test('with since, what is kept comes first', () =>
  withTmp(async (folder) => {
    const paths = inFolder(folder);
    tellEvent(paths, event('create'));
    assert.equal(await take(followEvents(paths, { since: 0 }), 2, () => tellEvent(paths, event('start'))), ['create', 'start']);
  }));

test('a journal that is set aside meanwhile is read to its end, then the new one', () =>
  withTmp(async (folder) => {
    const paths = inFolder(folder);
    const [journal, older] = journals(paths);
    tellEvent(paths, event('before'));
    const seen = await take(followEvents(paths, {}), 3, () => {
      tellEvent(paths, event('one'));
      renameSync(journal, older);
      appendFileSync(older, `${JSON.stringify({ time: new Date().toISOString(), ...event('two') })}\n`);
      tellEvent(paths, event('three'));
    });
    assert.equal(seen, ['one', 'two', 'three']);
  }));

test('until ends it, and so does a signal', () =>
  withTmp(async (folder) => {
    const paths = inFolder(folder);
    tellEvent(paths, event('create'));
    assert.equal(await take(followEvents(paths, { since: 0, until: Date.now() + 20 }), 9), ['create']);
    assert.equal(await take(followEvents(paths, { since: 0, until: Date.now() - 60_000 }), 9), []);
    assert.equal(await take(followEvents(paths, {}, AbortSignal.timeout(20)), 9), []);
  }));

test.run();
