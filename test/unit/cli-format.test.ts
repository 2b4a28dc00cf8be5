/** Tables, sizes, ages and templates as docker prints them. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ago, duration, parseFormat, render, size, table } from '../../src/cli/format.ts';
import { evaluate, parseTemplate } from '../../src/cli/template.ts';
import { cut } from '../../src/cli/text.ts';
import { BadValue } from '../../src/cli/values/bad.ts';

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

const row = {
  ID: 'abc',
  Names: 'web',
  Size: 7,
  Empty: '',
  Labels: { 'a.b': 'x', c: 'y' },
  Ports: ['80', '443'],
  State: { Running: true, Code: 0 },
  Nothing: null,
};

for (const [template, text] of [
  ['{{.ID}}', 'abc'],
  ['{{ .ID }}: {{.Names}}', 'abc: web'],
  ['{{- .ID -}}', 'abc'],
  ['{{json .}}', JSON.stringify(row)],
  ['{{json .Labels}}', '{"a.b":"x","c":"y"}'],
  ['{{.Labels | json}}', '{"a.b":"x","c":"y"}'],
  ['{{.State.Running}}', 'true'],
  ['{{upper .Names}}', 'WEB'],
  ['{{.Names | upper | lower}}', 'web'],
  ['{{join .Ports ", "}}', '80, 443'],
  ['{{index .Labels "a.b"}}', 'x'],
  ['{{index .Ports 1}}', '443'],
  ['{{len .Ports}}', '2'],
  ['{{truncate .Names 2}}', 'we'],
  ['{{println .ID}}', 'abc\n'],
  ['{{.Ports}}', '[80 443]'],
  ['{{.Labels}}', 'map[a.b:x c:y]'],
  ['{{range .Ports}}<{{.}}>{{end}}', '<80><443>'],
  ['{{range .Empty}}x{{else}}none{{end}}', 'none'],
  ['{{if .State.Running}}up{{else}}down{{end}}', 'up'],
  ['{{if .State.Code}}bad{{else}}good{{end}}', 'good'],
  ['{{if .Empty}}x{{end}}', ''],
  ['{{with .State}}{{.Code}}{{end}}', '0'],
  ['{{range .Ports}}{{if .}}{{.}} {{end}}{{end}}', '80 443 '],
  ['{{.Missing}}', '<no value>'],
  ['{{.Missing.Deeper}}', '<no value>'],
  ['{{.constructor}}', '<no value>'],
  ['{{.ID.length}}', '<no value>'],
  ['{{.Nothing}}', '<no value>'],
  ['plain', 'plain'],
] as const) {
  test(`the template ${template} gives ${JSON.stringify(text)}`, () => assert.is(evaluate(parseTemplate(template), row), text));
}

for (const template of [
  '{{.ID',
  '{{}}',
  '{{ID}}',
  '{{nosuch .ID}}',
  '{{range .Ports}}',
  '{{end}}',
  '{{else}}',
  '{{if .A}}x',
  '{{.ID | nosuch}}',
  '{{.A..B}}',
  '{{constructor .ID}}',
  '{{.ID}}{{end}}',
]) {
  test(`the template ${template} is refused`, () => {
    assert.throws(
      () => parseTemplate(template),
      (error: unknown) => error instanceof BadValue,
    );
  });
}

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
