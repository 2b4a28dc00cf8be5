/** argv as pflag reads it: what docker's users have in their fingers. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Flags, parseFlags } from '../../src/cli/flags.ts';
import { BadValue } from '../../src/cli/values/bad.ts';

const flags = {
  interactive: { type: 'boolean', alias: 'i', description: '' },
  tty: { type: 'boolean', alias: 't', description: '' },
  'no-trunc': { type: 'boolean', description: '' },
  verify: { type: 'boolean', default: true, description: '' },
  publish: { type: 'string', alias: 'p', valueHint: 'PORT', repeat: true, description: '' },
  name: { type: 'string', valueHint: 'NAME', description: '' },
  hostname: { type: 'string', alias: 'h', valueHint: 'NAME', description: '' },
  number: { type: 'string', alias: 'n', valueHint: 'N', parse: parseNumber, description: '' },
} as const satisfies Flags;

function parseNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new BadValue('not a number', { fix: 'digits' });
  return Number(text);
}

const parse = (argv: readonly string[], stop = true) => parseFlags('run', flags, argv, stop);

type Expected = Partial<Record<keyof typeof flags, unknown>> & { readonly args?: readonly string[] };

const rows: readonly (readonly [string, readonly string[], Expected])[] = [
  ['nothing', [], { args: [], interactive: false, publish: [], verify: true }],
  ['a bundle of letters', ['-it', 'x'], { interactive: true, tty: true, args: ['x'] }],
  ['a bundle that ends in a value', ['-itp80:80'], { interactive: true, tty: true, publish: ['80:80'] }],
  ['a bundle whose value is the next word', ['-itp', '80', 'x'], { publish: ['80'], args: ['x'] }],
  ['a glued value', ['-p8080:80'], { publish: ['8080:80'] }],
  ['a glued value with an equals sign', ['-p=8080:80'], { publish: ['8080:80'] }],
  ['a value that looks like a flag', ['-p', '--name', 'x'], { publish: ['--name'], args: ['x'] }],
  ['a long flag and the next word', ['--name', 'n', 'x'], { name: 'n', args: ['x'] }],
  ['a long flag with an equals sign', ['--name=a=b'], { name: 'a=b' }],
  ['an empty value', ['--name='], { name: '' }],
  ['an empty word as value', ['--name', ''], { name: '' }],
  ['repeats, all kept in order', ['-p1', '--publish', '2', '--publish=3'], { publish: ['1', '2', '3'] }],
  ['repeats, the last one wins', ['--name', 'a', '--name', 'b'], { name: 'b' }],
  ['a boolean set to false', ['--tty=false', '-i=0'], { tty: false, interactive: false }],
  ['a boolean set to true', ['--tty=T'], { tty: true }],
  ['a boolean that is on by default', ['--verify=false'], { verify: false }],
  ['a boolean does not take the next word', ['--tty', 'false'], { tty: true, args: ['false'] }],
  ['a flag that is called no-something', ['--no-trunc'], { 'no-trunc': true }],
  ['two dashes end the flags', ['-i', '--', '-t'], { interactive: true, tty: false, args: ['-t'] }],
  ['one dash is a word', ['-', '-t'], { tty: false, args: ['-', '-t'] }],
  ['flags stop at the first word', ['x', '-t', '--nonsense', '--'], { tty: false, args: ['x', '-t', '--nonsense', '--'] }],
  ['a parsed value', ['-n', '7'], { number: 7 }],
  ['a letter that hides the one of help', ['-h', 'web', 'x'], { hostname: 'web', args: ['x'] }],
];

for (const [name, argv, expected] of rows) {
  test(`${name}: ${argv.join(' ')}`, () => {
    const { values, args, help } = parse(argv);
    const { args: words, ...wanted } = expected;
    for (const [key, value] of Object.entries(wanted)) assert.equal(values[key as keyof typeof flags], value, key);
    if (words !== undefined) assert.equal(args, words);
    assert.is(help, false);
  });
}

test('elsewhere flags and words may be mixed, up to two dashes', () => {
  const { values, args } = parse(['a', '-t', 'b', '--name', 'n', '--', '-i'], false);
  assert.equal(args, ['a', 'b', '-i']);
  assert.is(values.tty, true);
  assert.is(values.name, 'n');
  assert.is(values.interactive, false);
});

const refused: readonly (readonly [readonly string[], string, RegExp])[] = [
  [['--nope'], 'UNKNOWN_FLAG', /unknown flag: --nope/],
  [['--nope=1'], 'UNKNOWN_FLAG', /unknown flag: --nope$/],
  [['--constructor'], 'UNKNOWN_FLAG', /--constructor/],
  [['--__proto__=x'], 'UNKNOWN_FLAG', /--__proto__/],
  [['--hasOwnProperty'], 'UNKNOWN_FLAG', /--hasOwnProperty/],
  [['--no-tty'], 'UNKNOWN_FLAG', /--no-tty/],
  [['--=x'], 'UNKNOWN_FLAG', /unknown flag: --$/],
  [['-x'], 'UNKNOWN_FLAG', /unknown shorthand flag: 'x' in -x/],
  [['-itx'], 'UNKNOWN_FLAG', /'x' in -itx/],
  [['-name'], 'FLAG_VALUE_INVALID', /-n, --number/],
  [['--name'], 'FLAG_NEEDS_VALUE', /flag needs an argument: --name/],
  [['-ip'], 'FLAG_NEEDS_VALUE', /flag needs an argument: 'p' in -ip/],
  [['--tty=maybe'], 'FLAG_VALUE_INVALID', /invalid argument "maybe" for "-t, --tty" flag/],
  [['--tty='], 'FLAG_VALUE_INVALID', /invalid argument ""/],
  [['-n', 'x'], 'FLAG_VALUE_INVALID', /invalid argument "x" for "-n, --number" flag: not a number/],
];

for (const [argv, code, message] of refused) {
  test(`${argv.join(' ')} is refused with ${code}, exit 125`, () => {
    try {
      parse([...argv, '-i', 'x'].slice(0, argv.length + (code === 'FLAG_NEEDS_VALUE' ? 0 : 2)));
    } catch (error) {
      const facts = error as { code: string; message: string; exit: number };
      assert.is(facts.code, code);
      assert.match(facts.message, message);
      assert.is(facts.exit, 125);
      return;
    }
    assert.unreachable();
  });
}

test('a misspelt flag is answered with the nearest one', () => {
  assert.throws(
    () => parse(['--pubilsh', '80']),
    (error: { fix: string }) => error.fix.includes('did you mean "--publish"?'),
  );
  assert.throws(
    () => parse(['-name', 'x']),
    (error: { fix: string }) => error.fix === 'digits',
  );
});

test('help is met before what comes after it, not before what came first', () => {
  assert.is(parse(['--help', '--nonsense']).help, true);
  assert.is(parse(['-i', '-h']).help, true);
  assert.throws(() => parse(['--nonsense', '--help']), /unknown flag/);
  assert.is(parse(['x', '--help']).help, false);
  assert.is(parseFlags('ps', {}, ['-h'], false).help, true);
});

test('what was typed is told apart from what is there by default', () => {
  assert.equal([...parse(['--verify', '-i']).given], ['verify', 'interactive']);
});

test.run();
