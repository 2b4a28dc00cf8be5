/** Tables, sizes, ages and templates as docker prints them. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ago, duration, parseFormat, render, size, table } from '../../src/cli/format.ts';
import { cut } from '../../src/cli/text.ts';

for (const [bytes, text] of [
  [0, '0B'],
  [999, '999B'],
  [1000, '1kB'],
  [1234, '1.23kB'],
  [7_840_000, '7.84MB'],
  [78_400_000, '78.4MB'],
  [784_000_000, '784MB'],
  [999_999, '1000kB'],
  [1_500_000_000, '1.5GB'],
] as const) {
  test(`${bytes} bytes are ${text}`, () => assert.is(size(bytes), text));
}

for (const [seconds, text] of [
  [0, 'Less than a second'],
  [1, '1 second'],
  [59, '59 seconds'],
  [60, 'About a minute'],
  [119, 'About a minute'],
  [120, '2 minutes'],
  [3599, '59 minutes'],
  [3600, 'About an hour'],
  [7200, '2 hours'],
  [86400, '24 hours'],
  [2 * 86400, '2 days'],
  [15 * 86400, '2 weeks'],
  [70 * 86400, '2 months'],
  [800 * 86400, '2 years'],
] as const) {
  test(`${seconds} seconds are "${text}"`, () => assert.is(duration(seconds), text));
}

test('an age is counted from now, and a clock that went back is no age', () => {
  const now = Date.parse('2026-01-02T00:00:00Z');
  assert.is(ago('2026-01-01T21:00:00Z', now), '3 hours ago');
  assert.is(ago('2026-01-03T00:00:00Z', now), 'Less than a second ago');
  assert.is(ago(undefined, now), '');
  assert.is(ago('nonsense', now), '');
});

test('columns are as wide as their widest cell, and no line ends in spaces', () => {
  assert.is(
    table([
      ['ID', 'NAME'],
      ['1', 'long'],
      ['long', ''],
    ]),
    'ID     NAME\n1      long\nlong\n',
  );
});

test('a control character in a name does not reach the terminal', () => {
  assert.is(table([['a\x1b[31mb', 'c\nd']]), 'a\\x1b[31mb   c d\n');
});

test('--format json is one object a line in lists, and indented alone', () => {
  const format = parseFormat('json');
  assert.ok(format);
  assert.is(render(format, [{ A: 1 }, { A: 2 }], 'list'), '{"A":1}\n{"A":2}\n');
  assert.is(render(format, [{ A: 1 }], 'one'), '{\n  "A": 1\n}\n');
});

test('--format table heads the columns with the names of the fields', () => {
  const format = parseFormat('table {{.ID}}\\t{{.CreatedAt}}\t{{.State.Code}}');
  assert.ok(format);
  const rows = [{ ID: 'a', CreatedAt: 'now', State: { Code: 3 } }];
  assert.is(render(format, rows, 'list'), 'ID   CREATED AT   CODE\na    now          3\n');
});

test('a heading can be told, and functions, conditions and loops leave it alone', () => {
  const format = parseFormat(
    'table {{upper .ID}}\\t{{if .Up}}{{truncate .Names 2}}{{end}}\\t{{range $i, $x := .Ports}}{{$x}}{{end}}\\t{{json .}}',
  );
  assert.ok(format);
  const rows = [{ ID: 'a', Names: 'web', Up: true, Ports: ['1', '2'] }];
  assert.is(
    render(format, rows, 'list', { ID: 'CONTAINER ID' }),
    'CONTAINER ID   NAMES   PORTS   .\nA              we      12      {"ID":"a","Names":"web","Up":true,"Ports":["1","2"]}\n',
  );
});

test('a table without rows has its heading', () => {
  const format = parseFormat('table {{.ID}}');
  assert.ok(format);
  assert.is(render(format, [], 'list'), 'ID\n');
});

test('an array of JSON is one line', () => {
  const format = parseFormat('json');
  assert.ok(format);
  assert.is(render(format, [{ A: 1 }, { A: 2 }], 'array'), '[{"A":1},{"A":2}]\n');
  assert.is(render(format, [], 'array'), '[]\n');
});

test('--format table alone is the usual table', () => {
  assert.is(parseFormat('table'), undefined);
  assert.is(parseFormat(''), undefined);
});

test('a template may break lines and make columns', () => {
  const format = parseFormat('{{.A}}\\t{{.B}}');
  assert.ok(format);
  assert.is(render(format, [{ A: 1, B: 2 }], 'list'), '1\t2\n');
});

test('what is cut says so', () => {
  assert.is(cut('abcdef', 6), 'abcdef');
  assert.is(cut('abcdefg', 6), 'abcde…');
});

test.run();
