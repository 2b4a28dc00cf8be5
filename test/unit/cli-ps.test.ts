/** Rows of `ps`: docker's words for a state, its ports as ranges, its filters. */

import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { containerFilter, parseContainerFilter } from '../../src/cli/container-filter.ts';
import { exposedPorts, portsText } from '../../src/cli/container-ports.ts';
import { containerHeadings, containerRow, statusText } from '../../src/cli/container-row.ts';
import { localDate, parseFormat, render } from '../../src/cli/format.ts';
import { statsRow } from '../../src/cli/stats-row.ts';
import { parsePort } from '../../src/cli/values/port.ts';
import { RootlessError } from '../../src/errors.ts';
import { findPaths } from '../../src/paths.ts';
import type { ContainerOptions } from '../../src/runtime/options.ts';
import { type Container, containerFolder, type Listed, makeFolder, readContainer, writeContainer } from '../../src/runtime/state.ts';
import type { Life } from '../../src/runtime/status.ts';
import { containerFacts } from '../support/container-facts.ts';
import { withTmp } from '../support/tmp.ts';

process.env['TZ'] = 'UTC';
const now = Date.parse('2026-01-31T12:00:00Z');
const before = (minutes: number) => new Date(now - minutes * 60_000).toISOString();
const life = (more: Partial<Life> = {}): Life => ({
  status: 'running',
  monitor: { pid: 1, startTime: '1', bootId: 'b' },
  pid: 42,
  startTime: '2',
  started: before(3),
  restarts: 0,
  ...more,
});
const health = (status: 'starting' | 'healthy' | 'unhealthy') => ({ health: { status, failingStreak: 0, log: [] } });
const container = (more: Partial<Listed> = {}, options: Partial<ContainerOptions> = {}): Listed => ({
  ...containerFacts(options),
  created: before(180),
  status: 'running',
  exit: undefined,
  life: life(),
  ...more,
});

for (const [state, words] of [
  [{ status: 'created', life: undefined }, 'Created'],
  [{ status: 'running' }, 'Up 3 minutes'],
  [{ status: 'running', life: life(health('starting')) }, 'Up 3 minutes (health: starting)'],
  [{ status: 'running', life: life(health('healthy')) }, 'Up 3 minutes (healthy)'],
  [{ status: 'running', life: life(health('unhealthy')) }, 'Up 3 minutes (unhealthy)'],
  [{ status: 'paused', life: life(health('healthy')) }, 'Up 3 minutes (Paused)'],
  [{ status: 'restarting', exit: { code: 1, finished: before(0.1) } }, 'Restarting (1) 6 seconds ago'],
  [{ status: 'exited', exit: { code: 0, finished: before(125) } }, 'Exited (0) 2 hours ago'],
  [{ status: 'exited', exit: { code: 137, finished: before(1) } }, 'Exited (137) About a minute ago'],
  [{ status: 'exited', exit: undefined }, 'Exited'],
  [{ status: 'dead', life: undefined }, 'Dead'],
] as const) {
  test(`a container that is ${state.status} is shown as "${words}"`, () => assert.is(statusText(container(state), now), words));
}

test('a clock that went back makes no negative age', () => {
  assert.is(statusText(container({ life: life({ started: before(-5) }) }), now), 'Up Less than a second');
});

for (const [published, exposed, text] of [
  [[], [], ''],
  [['8080:80'], [], '0.0.0.0:8080->80/tcp'],
  [['80:80'], ['80/tcp'], '0.0.0.0:80->80/tcp'],
  [['8000-8002:8000-8002'], [], '0.0.0.0:8000-8002->8000-8002/tcp'],
  [['8000-8001:8000-8001', '8003:8003'], [], '0.0.0.0:8000-8001->8000-8001/tcp, 0.0.0.0:8003->8003/tcp'],
  [['9000-9001:8000-8001'], [], '0.0.0.0:9000->8000/tcp, 0.0.0.0:9001->8001/tcp'],
  [['53:53/udp', '53:53/tcp'], [], '0.0.0.0:53->53/tcp, 0.0.0.0:53->53/udp'],
  [['127.0.0.1:53:53', '53:53'], [], '0.0.0.0:53->53/tcp, 127.0.0.1:53->53/tcp'],
  [['[::1]:80:80'], [], '[::1]:80->80/tcp'],
  [['80'], [], '0.0.0.0:->80/tcp'],
  [['8080:80'], ['443/tcp', '80/tcp', '8000-8002/udp'], '443/tcp, 8000-8002/udp, 0.0.0.0:8080->80/tcp'],
] as const) {
  test(`-p ${published.join(' -p ')} with ${exposed.join(', ') || 'nothing'} exposed is shown as "${text}"`, () =>
    assert.is(portsText(published.flatMap(parsePort), exposed), text));
}

test('exposed ranges are taken apart, and a hostile one is not endless', () => {
  assert.equal(exposedPorts(['8000-8002', '53/udp', '53/udp']), ['8000/tcp', '8001/tcp', '8002/tcp', '53/udp']);
  assert.ok(exposedPorts(['1-999999999']).length <= 65536);
  assert.equal(exposedPorts(['9-1']), []);
});

const facts = { full: false, now, size: () => '0B' } as const;

test('a row has the fields that docker and podman have', () => {
  const format = parseFormat(
    '{{.ID}}|{{.Image}}|{{.Command}}|{{.RunningFor}}|{{.CreatedAt}}|{{.State}}|{{.Size}}|{{.Names}}|{{.Labels}}|{{.Label "b"}}|{{.Label "c"}}|{{.Mounts}}|{{.LocalVolumes}}|{{.Networks}}|{{.Pid}}|{{.ExitCode}}|{{.Restarts}}',
  );
  assert.ok(format);
  const shown = container(
    {
      id: 'a'.repeat(64),
      name: 'web',
      image: 'alpine',
      command: ['sh', '-c', 'sleep 1000000000'],
      labels: { b: '2', a: '1' },
      network: 'private',
    },
    {
      mounts: [
        { kind: 'volume', name: 'db', target: '/db', readOnly: false, options: [] },
        { kind: 'bind', source: '/a/very/long/folder', target: '/x', readOnly: false, options: [], createSource: true },
      ],
    },
  );
  assert.is(
    render(format, [containerRow(shown, facts)], 'list'),
    'aaaaaaaaaaaa|alpine|"sh -c sleep 1000000…"|3 hours ago|2026-01-31 09:00:00 +0000 UTC|running|0B|web|a=1,b=2|2||db,/a/very/long/f…|1|private|42|0|0\n',
  );
});

test('JSON has the fields too, and the heading of a label is its last word', () => {
  const json = parseFormat('json');
  assert.ok(json);
  const row = JSON.parse(render(json, [containerRow(container({ name: 'web' }), facts)], 'list'));
  assert.is(row.Names, 'web');
  assert.is(row.Status, 'Up 3 minutes');
  const format = parseFormat('table {{.ID}}\\t{{.RunningFor}}\\t{{.Label "com.example.some-tier"}}');
  assert.ok(format);
  assert.is(render(format, [], 'list', containerHeadings), 'CONTAINER ID   CREATED   some tier\n');
});

test('a command is quoted as a whole', () => {
  const row = (full: boolean) => containerRow(container({ command: ['sh', '-c', 'echo "a"'] }), { ...facts, full })['Command'];
  assert.is(row(true), '"sh -c echo \\"a\\""');
  assert.is(row(false), '"sh -c echo \\"a\\""');
});

test('a date is printed as Go prints it', () => {
  assert.is(localDate('2026-01-31T12:00:00.5Z'), '2026-01-31 12:00:00 +0000 UTC');
  assert.is(localDate('never'), '');
});

const noDefaults = { entrypoint: [], cmd: [], env: [], user: '', workingDir: '', volumes: [], stopSignal: undefined, labels: {} };
const listed = container(
  {
    id: 'abc123',
    name: 'web',
    image: 'localhost:5000/shop/web:1',
    imageId: 'sha256:2',
    base: { kind: 'layers', id: 'sha256:2', reference: undefined, diffIds: [], defaults: { ...noDefaults, exposedPorts: ['443/tcp'] } },
    command: ['nginx', '-g'],
    labels: { tier: 'front', env: 'test' },
    network: 'private',
    ports: parsePort('8080:80'),
    life: life(health('healthy')),
  },
  { expose: ['9000/tcp'], mounts: [{ kind: 'volume', name: 'db', target: '/db', readOnly: false, options: [] }] },
);
const gone = { ...listed, status: 'exited', exit: { code: 3, finished: before(1) } } as const;

for (const [filters, shown, result] of [
  [['id=abc'], listed, true],
  [['id=c123'], listed, true],
  [['id=^c'], listed, false],
  [['name=we'], listed, true],
  [['name=^web$'], listed, true],
  [['name=^/web$'], listed, true],
  [['name=^eb'], listed, false],
  [['name=[w'], listed, false],
  [['name=db', 'name=web'], listed, true],
  [['label=tier'], listed, true],
  [['label=tier=front'], listed, true],
  [['label=tier=back'], listed, false],
  [['label=tier', 'label=env=test'], listed, true],
  [['label=tier', 'label=env=live'], listed, false],
  [['label!=tier'], listed, false],
  [['label!=other'], listed, true],
  [['status=running'], listed, true],
  [['status=exited', 'status=running'], listed, true],
  [['status=exited'], listed, false],
  [['exited=3'], gone, true],
  [['exited=0'], gone, false],
  [['exited=0'], listed, false],
  [['health=healthy'], listed, true],
  [['health=none'], listed, false],
  [['health=none'], gone, true],
  [['ancestor=localhost:5000/shop/web:1'], listed, true],
  [['ancestor=localhost:5000/shop/web'], listed, true],
  [['ancestor=sha256:2'], listed, true],
  [['ancestor=base'], listed, true],
  [['ancestor=other'], listed, false],
  [['volume=db'], listed, true],
  [['volume=/db'], listed, true],
  [['volume=/other'], listed, false],
  [['network=private'], listed, true],
  [['network=bridge'], listed, true],
  [['network=host'], listed, false],
  [['publish=8080'], listed, true],
  [['publish=8000-9000/tcp'], listed, true],
  [['publish=80'], listed, false],
  [['publish=8080/udp'], listed, false],
  [['expose=80'], listed, true],
  [['expose=9000'], listed, true],
  [['expose=443'], listed, true],
  [['expose=1'], listed, false],
  [['expose=1', 'publish=8080'], listed, true],
  [['command=nginx'], listed, true],
  [['restart-policy=no'], listed, true],
  [['restart-policy=always'], listed, false],
  [['until=1h'], listed, true],
  [['until=4h'], listed, false],
] as const) {
  test(`${filters.join(' ')} ${result ? 'lets pass' : 'holds back'} the ${shown.status} container`, () => {
    const wanted = containerFilter(filters.map(parseContainerFilter), {
      paths: findPaths({ HOME: '/dev/null/x', ROOTLESS_DATA: '/dev/null/x' }),
      now,
      isMadeFrom: (container, image) => image === 'base' && container.imageId === 'sha256:2',
    });
    assert.is(wanted(shown), result);
  });
}

for (const text of ['status=up', 'exited=x', 'health=ill', 'publish=web', 'expose=', 'until=later', 'nosuch=1', 'name', 'constructor=1']) {
  test(`the filter "${text}" is refused`, () => assert.throws(() => parseContainerFilter(text), /filter|time/));
}

test('before and since are by the time of another container, which must exist', () =>
  withTmp((folder) => {
    const paths = findPaths({ HOME: folder, ROOTLESS_DATA: folder, XDG_RUNTIME_DIR: folder });
    const make = (id: string, created: string): Listed => {
      const made: Container = { ...containerFacts(), id, name: id.slice(0, 12), created };
      makeFolder(paths, id);
      writeContainer(paths, made);
      const found = readContainer(paths, id);
      assert.ok(found, containerFolder(paths, id));
      return found;
    };
    const old = make('a'.repeat(64), before(10));
    const middle = make('b'.repeat(64), before(5));
    const fresh = make('c'.repeat(64), before(1));
    const pass = (text: string) => {
      const more = { paths, now, isMadeFrom: () => false };
      const wanted = containerFilter([parseContainerFilter(text)], more);
      return [old, middle, fresh].map(wanted);
    };
    assert.equal(pass('before=bbb'), [true, false, false]);
    assert.equal(pass('since=bbb'), [false, false, true]);
    assert.throws(
      () => pass('since=nosuch'),
      (error: unknown) => error instanceof RootlessError && error.code === 'CONTAINER_NOT_FOUND',
    );
  }));

/** Words in backquotes of a row of the table "Fields". */
function documented(command: string): string[] {
  const page = readFileSync('docs/format.md', 'utf8');
  const line =
    page
      .slice(page.indexOf('## Fields'))
      .split('\n')
      .find((text) => text.startsWith(`| \`${command}\` |`)) ?? '';
  return [...line.slice(line.indexOf('|', 2)).matchAll(/`([^`]+)`/g)].flatMap(([, words = '']) => words.split(' '));
}

test('the fields of ps and stats are those that are documented', () => {
  const stats = statsRow({ asked: '', id: '', name: '', before: undefined, now: undefined }, false);
  assert.equal(Object.keys(containerRow(container(), facts)).sort(), documented('ps').sort());
  assert.equal(Object.keys(stats).sort(), documented('stats').sort());
});

test.run();
