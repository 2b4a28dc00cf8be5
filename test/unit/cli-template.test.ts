/** Go's templates: what docker users type, evaluated as Go does. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RootlessError } from '../../src/errors.ts';
import { evaluate, parseTemplate } from '../../src/cli/template.ts';
import { BadValue } from '../../src/cli/values/bad.ts';

const row = {
  ID: 'abc',
  Names: 'web',
  Size: 7,
  Empty: '',
  Labels: { c: 'y', 'a.b': 'x', 'x-y': 'z' },
  Ports: ['80', '443'],
  State: { Running: true, Code: 0, Health: undefined },
  Mounts: [
    { Type: 'bind', Source: '/a' },
    { Type: 'volume', Source: '/b' },
  ],
  Published: { '80/tcp': [{ HostPort: '8080' }] },
  Nothing: null,
  Label: (key: string) => (key === 'tier' ? 'db' : ''),
};

for (const [template, text] of [
  ['{{.ID}}', 'abc'],
  ['{{ .ID }}: {{.Names}}', 'abc: web'],
  ['a {{- .ID -}} b', 'aabcb'],
  ['a {{-  3 -}} b', 'a3b'],
  ['a {{/* said }} to nobody */}} b', 'a  b'],
  ['a {{- /* gone */ -}} b', 'ab'],
  ['{{.ID}}\\t{{.Size}}\\n', 'abc\t7\n'],
  ['{{json .Ports}}', '["80","443"]'],
  ['{{json .Labels}}', '{"c":"y","a.b":"x","x-y":"z"}'],
  ['{{.Labels | json}}', '{"c":"y","a.b":"x","x-y":"z"}'],
  ['{{json .State}}', '{"Running":true,"Code":0}'],
  ['{{json .Nothing}}', 'null'],
  ['{{.State.Running}}', 'true'],
  ['{{(index .Mounts 1).Source}}', '/b'],
  ['{{$.State.Code}}', '0'],
  ['{{upper .Names}}', 'WEB'],
  ['{{.Names | upper | lower}}', 'web'],
  ['{{title "one two"}}', 'One Two'],
  ['{{join .Ports ", "}}', '80, 443'],
  ['{{.Ports | join ","}}', '80,443'],
  ['{{join .Ports "\\n"}}', '80\n443'],
  ['{{index (split "a:b" ":") 1}}', 'b'],
  ['{{index .Labels "a.b"}}', 'x'],
  ['{{.Labels.c}}{{index .Labels "x-y"}}', 'yz'],
  ['{{.Labels.x-y}}', 'z'],
  ['{{.Labels.none}}', '<no value>'],
  ['<{{index .Labels "none"}}>', '<>'],
  ['{{index .Ports 1}}', '443'],
  ['{{index .Mounts 0 "Type"}}', 'bind'],
  ['{{(index (index .Published "80/tcp") 0).HostPort}}', '8080'],
  ['{{len .Ports}} {{len .Names}} {{len .Labels}}', '2 3 3'],
  ['{{truncate .Names 2}}', 'we'],
  ['{{.Names | truncate 2}}', 'we'],
  ['[{{pad .Names 1 2}}]', '[ web  ]'],
  ['{{slice .Names 1}} {{slice .Names 0 2}}', 'eb we'],
  ['{{println .ID .Size}}', 'abc 7\n'],
  ['{{print .ID .Size}} {{print 1 2}}', 'abc7 1 2'],
  [
    '{{printf "%s has %d (%5.2f|%-6s|%06d|%q|%v|%x|%%)" .ID .Size 1.5 .Names 42 .ID .Ports 255}}',
    'abc has 7 ( 1.50|web   |000042|"abc"|[80 443]|ff|%)',
  ],
  ['{{printf "%d" .Names}}', '%!d(string=web)'],
  ['{{printf "%s %s" .ID}}', 'abc %!s(MISSING)'],
  ['{{printf "%s" .ID .Size}}', 'abc%!(EXTRA int=7)'],
  ['{{printf "%6.3v|%q|%+d|%x" 3.14159 65 3 "hi"}}', "  3.14|'A'|+3|6869"],
  ['{{printf "%*s|%t" 5 .ID .State.Running}}', '  abc|true'],
  ['{{.Ports}}', '[80 443]'],
  ['{{.Labels}}', 'map[a.b:x c:y x-y:z]'],
  ['{{range .Ports}}<{{.}}>{{end}}', '<80><443>'],
  ['{{range $i, $p := .Ports}}{{$i}}={{$p}};{{end}}', '0=80;1=443;'],
  ['{{range $p := .Ports}}{{$p}} {{$.ID}} {{end}}', '80 abc 443 abc '],
  ['{{range $k, $v := .Labels}}{{$k}}={{$v}},{{end}}', 'a.b=x,c=y,x-y=z,'],
  ['{{range $p, $c := .Published}}{{$p}}->{{(index $c 0).HostPort}}{{end}}', '80/tcp->8080'],
  ['{{range .Mounts}}{{if eq .Type "bind"}}{{continue}}{{end}}{{.Source}}{{end}}', '/b'],
  ['{{range .Mounts}}{{.Source}}{{break}}{{end}}', '/a'],
  ['{{range .Empty}}x{{else}}none{{end}}', 'none'],
  ['{{range 3}}{{.}}{{end}}', '012'],
  ['{{if .State.Running}}up{{else}}down{{end}}', 'up'],
  ['{{if .State.Code}}bad{{else}}good{{end}}', 'good'],
  ['{{if .Empty}}x{{end}}', ''],
  ['{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}', 'none'],
  ['{{if eq .Size 1}}one{{else if eq .Size 7}}seven{{else}}other{{end}}', 'seven'],
  ['{{if and .ID (not .Empty) (gt .Size 3)}}yes{{end}}', 'yes'],
  ['{{if and .State.Health .State.Health.Status}}yes{{else}}no{{end}}', 'no'],
  ['{{or .Empty "default"}} {{and .ID .Empty}}', 'default '],
  ['{{eq .Names "db" "web"}} {{ne 1 2}} {{lt 1 2}} {{le 2 2}} {{gt 1 2}} {{ge "b" "a"}}', 'true true true true false true'],
  ['{{with .State}}{{.Code}}{{end}}', '0'],
  ['{{with $s := .State}}{{$s.Code}}{{end}}', '0'],
  ['{{with .Empty}}x{{else with .ID}}{{.}}{{end}}', 'abc'],
  ['{{$x := .ID}}{{$x = upper $x}}{{$x}}', 'ABC'],
  ['{{$n := 0}}{{range .Ports}}{{$n = len .}}{{end}}{{$n}}', '3'],
  ['{{range .Ports}}{{if .}}{{.}} {{end}}{{end}}', '80 443 '],
  ['{{html "<a>"}} {{urlquery "a b&"}}', '&lt;a&gt; a+b%26'],
  ['{{`raw \\n`}} {{"}}"}}', 'raw \\n }}'],
  ['{{.Nothing}} {{.State.Health}}', '<no value> <no value>'],
  ['{{true}} {{1.5}} {{-3}} {{0x10}}', 'true 1.5 -3 16'],
  ['{{.Label "tier"}}{{"tier" | .Label}}', 'dbdb'],
  ['{{.State}}', 'map[Code:0 Health:<no value> Running:true]'],
  ['{{.Mounts}} {{.Published}}', '[map[Source:/a Type:bind] map[Source:/b Type:volume]] map[80/tcp:[map[HostPort:8080]]]'],
  ['plain', 'plain'],
  ['', ''],
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
  '{{if .A}}x{{else}}y',
  '{{if}}x{{end}}',
  '{{if .A}}x{{else nonsense}}y{{end}}',
  '{{.ID | nosuch}}',
  '{{"a" .Names}}',
  '{{.ID |}}',
  '{{.A..B}}',
  '{{constructor .ID}}',
  '{{__proto__ .ID}}',
  '{{.ID}}{{end}}',
  '{{$x}}',
  '{{$x = 1}}',
  '{{if .A}}{{$x := 1}}{{end}}{{$x}}',
  '{{range $a, $b, $c := .Ports}}{{end}}',
  '{{break}}',
  '{{"open}}',
  '{{(.ID}}',
  '{{.ID)}}',
  '{{#}}',
]) {
  test(`the template ${template} is refused`, () => {
    assert.throws(
      () => parseTemplate(template),
      (error: unknown) => error instanceof BadValue,
    );
  });
}

for (const [template, words] of [
  ['{{.Missing}}', /can't evaluate field Missing/],
  ['{{.Missing.Deeper}}', /can't evaluate field Missing/],
  ['{{.constructor}}', /can't evaluate field constructor/],
  ['{{.ID.length}}', /can't evaluate field length/],
  ['{{.State.Health.Status}}', /nil has no field "Status"/],
  ['{{.ID .Names}}', /ID is not a method/],
  ['{{.ID | .Names}}', /Names is not a method/],
  ['{{.Label}}', /wrong number of arguments for Label/],
  ['{{.Label "a" "b"}}', /wrong number of arguments for Label/],
  ['{{index .Ports 2}}', /out of range/],
  ['{{index .Ports "x"}}', /out of range/],
  ['{{index .Nothing 0}}', /index of nil/],
  ['{{slice .ID 5}}', /out of range/],
  ['{{eq .ID 1}}', /incompatible/],
  ['{{len .Size}}', /len of/],
  ['{{range .State.Running}}{{end}}', /cannot walk/],
] as const) {
  test(`the template ${template} fails with the data`, () => {
    assert.throws(
      () => evaluate(parseTemplate(template), row),
      (error: unknown) => error instanceof RootlessError && error.code === 'TEMPLATE_FAILED' && words.test(error.message),
    );
  });
}

test('values can be made harmless, the template is its own', () => {
  const clean = (text: string) => text.replaceAll('\x1b', '?');
  assert.is(evaluate(parseTemplate('\x1b[1m{{.A}}{{range .B}}{{.}}{{end}}'), { A: '\x1b[2J', B: ['\x1b'] }, clean), '\x1b[1m?[2J?');
});

test('a method is no value', () => {
  assert.is(evaluate(parseTemplate('{{.}} {{json .}}'), { A: 1, Label: () => '' }), 'map[A:1] {"A":1}');
});

test('a field that is nearly right is named', () => {
  assert.throws(
    () => evaluate(parseTemplate('{{.Name}}'), row),
    (error: unknown) => error instanceof RootlessError && error.fix === 'did you mean ".Names"?',
  );
});

test.run();
