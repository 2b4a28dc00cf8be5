/** An event in docker's words, and points in time as docker reads them. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eventRow, eventText, localTime } from '../../src/cli/event-row.ts';
import { parseFormat, render } from '../../src/cli/format.ts';
import { duration, parseDuration, parseTime } from '../../src/cli/values/time.ts';

process.env['TZ'] = 'UTC';

const event = {
  time: '2026-01-31T12:00:00.123456Z',
  type: 'container',
  action: 'die',
  id: 'abc',
  attributes: { name: 'web', image: 'alpine', exitCode: '3' },
} as const;

test("the line is docker's, with sorted attributes", () => {
  assert.is(eventText(event), '2026-01-31T12:00:00.123456000Z container die abc (exitCode=3, image=alpine, name=web)');
  assert.is(eventText({ ...event, attributes: {} }), '2026-01-31T12:00:00.123456000Z container die abc');
});

test('a label makes no second line and moves no cursor', () => {
  assert.not.match(eventText({ ...event, attributes: { x: '\x1b[2J' } }), /\x1b/);
  assert.not.match(eventText({ ...event, attributes: { x: 'a\nb' } }), /\n/);
});

test('JSON has the names of the API, templates those of Go', () => {
  const format = (text: string) => {
    const parsed = parseFormat(text);
    assert.ok(parsed);
    return render(parsed, [eventRow(event)], 'list');
  };
  const { time, timeNano, ...rest } = JSON.parse(format('json'));
  assert.equal(rest, {
    status: 'die',
    id: 'abc',
    from: 'alpine',
    Type: 'container',
    Action: 'die',
    Actor: { ID: 'abc', Attributes: event.attributes },
    scope: 'local',
  });
  assert.is(time, Date.parse('2026-01-31T12:00:00Z') / 1000);
  assert.is(Math.floor(timeNano / 1e6), Date.parse(event.time));
  assert.is(format('{{json .}}'), format('json'));
  assert.is(
    format('{{.Type}} {{.Action}} {{.Actor.ID}} {{.Actor.Attributes.name}} {{.Status}} {{.From}}'),
    'container die abc web die alpine\n',
  );
});

test('a time without a fraction has nine zeros, and one that is none stays as it is', () => {
  assert.is(localTime('2026-01-31T12:00:00Z'), '2026-01-31T12:00:00.000000000Z');
  assert.is(localTime('soon'), 'soon');
});

for (const [text, milliseconds] of [
  ['10s', 10_000],
  ['1h30m', 5_400_000],
  ['1.5s', 1500],
  ['100ms', 100],
  ['-10m', -600_000],
  ['0', 0],
  ['10', undefined],
  ['10x', undefined],
  ['s', undefined],
  ['1h 30m', undefined],
  ['', undefined],
] as const) {
  test(`the duration "${text}" is ${milliseconds}`, () => assert.is(duration(text), milliseconds));
}

const now = Date.parse('2026-01-31T12:00:00Z');
for (const [text, time] of [
  ['10m', '2026-01-31T11:50:00Z'],
  ['-1h', '2026-01-31T13:00:00Z'],
  ['1767225600', '2026-01-01T00:00:00Z'],
  ['1767225600.5', '2026-01-01T00:00:00.5Z'],
  ['2026-01-01', '2026-01-01T00:00:00Z'],
  ['2026-01-01T10', '2026-01-01T10:00:00Z'],
  ['2026-01-01T10:11', '2026-01-01T10:11:00Z'],
  ['2026-01-01 10:11:12', '2026-01-01T10:11:12Z'],
  ['2026-01-01T10:11:12.123456789Z', '2026-01-01T10:11:12.123Z'],
  ['2026-01-01T10:11:12+02:00', '2026-01-01T08:11:12Z'],
] as const) {
  test(`the time "${text}" is ${time}`, () => assert.is(parseTime(text, now), Date.parse(time)));
}

for (const text of ['', 'yesterday', '2026-13-01', '2026-01-01T25:00', '10 m', '--1', '1e9']) {
  test(`the time "${text}" is refused`, () => assert.throws(() => parseTime(text, now), /time or duration/));
}

test('a length of time has a unit and no sign', () => {
  assert.is(parseDuration('90s'), 90_000);
  for (const text of ['90', '-1s', '']) assert.throws(() => parseDuration(text), /invalid duration/, text);
});

test.run();
