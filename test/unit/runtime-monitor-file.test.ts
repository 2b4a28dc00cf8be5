/** What a container's monitor is told: logs, restarts, the way to stop, health; and how signals and tags are read for it. */

import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findPaths } from '../../src/paths.ts';
import { exposedPorts, publishAll } from '../../src/runtime/exposed.ts';
import { planHealth } from '../../src/runtime/health.ts';
import { expandTag } from '../../src/runtime/log-tag.ts';
import { type MonitorFacts, monitorFile, nanoseconds, stopPlan } from '../../src/runtime/monitor-file.ts';
import { type ContainerOptions, defaults } from '../../src/runtime/options.ts';
import type { ImageDefaults } from '../../src/runtime/process.ts';
import { signalName, signalNumber } from '../../src/runtime/signals.ts';
import { withTmp } from '../support/tmp.ts';

const second = 1e9;
const image: ImageDefaults = { entrypoint: [], cmd: [], env: [], user: '', workingDir: '', volumes: [], stopSignal: undefined, labels: {} };
const options = (more: Partial<ContainerOptions> = {}): ContainerOptions => ({ ...defaults, image: 'web:2', ...more });
const facts: MonitorFacts = {
  id: '0123456789abcdef'.repeat(4),
  name: 'web',
  imageId: undefined,
  labels: { a: 'b' },
  defaults: image,
  folder: '/c',
  keepInput: false,
  notifySocket: undefined,
  traces: ['/names/web'],
};

const fileOf = (asked: Partial<ContainerOptions> = {}, more: Partial<MonitorFacts> = {}) =>
  withTmp((folder) => {
    const paths = findPaths({ HOME: folder, ROOTLESS_DATA: folder, XDG_RUNTIME_DIR: folder });
    return { content: monitorFile(paths, options(asked), { ...facts, ...more }), data: paths.data };
  });

test('a plain container is logged, never restarted, and stopped with SIGTERM and ten seconds', async () => {
  const { content, data } = await fileOf();
  assert.equal(content, {
    log: { driver: 'json-file', path: '/c/log', whenFull: 'drop' },
    restart: { policy: 'no', retries: 0 },
    stop: { signal: 15, timeout: 10 * second },
    journal: join(data, 'events'),
    facts: { name: 'web', image: 'web:2', labels: { a: 'b' } },
    traces: ['/names/web'],
  });
});

test('what was asked for is said in nanoseconds, bytes and numbers', async () => {
  const { content } = await fileOf(
    {
      log: { driver: 'plain', maxSize: 1000, maxFile: 3, path: '/l', tag: '{{.Name}}', whenFull: 'stop' },
      restart: { policy: 'on-failure', retries: 4 },
      stopSignal: 'SIGRTMIN+3',
      stopTimeout: 2,
      timeout: 7,
      pidFile: '/p',
      monitorPidFile: '/m',
    },
    { keepInput: true, notifySocket: '/n' },
  );
  assert.equal(content['log'], { driver: 'plain', path: '/l', maxSize: 1000, maxFile: 3, tag: 'web', whenFull: 'stop' });
  assert.equal(content['restart'], { policy: 'on-failure', retries: 4 });
  assert.equal(content['stop'], { signal: 37, timeout: 2 * second });
  assert.is(content['timeout'], 7 * second);
  assert.is(content['pidFile'], '/p');
  assert.is(content['monitorPidFile'], '/m');
  assert.is(content['stdin'], true);
  assert.equal(content['notify'], { mode: 'container', socket: '/n' });
  const ignored = await fileOf({ sdnotify: 'ignore' }, { notifySocket: '/n' });
  assert.is(ignored.content['notify'], undefined);
});

test("the image's stop signal counts when none was asked for, and a misspelt one is SIGTERM", () => {
  assert.is(stopPlan(options(), { stopSignal: 'SIGQUIT' }).signal, 3);
  assert.is(stopPlan(options(), { stopSignal: '9' }).signal, 9);
  assert.is(stopPlan(options(), { stopSignal: 'SIGNOPE' }).signal, 15);
  assert.is(stopPlan(options({ stopSignal: 'INT' }), { stopSignal: 'SIGQUIT' }).signal, 2);
});

test('a time below zero is longer than anybody waits, and still a whole number', () => {
  const long = nanoseconds(-1);
  assert.ok(long > 50 * 365 * 86400 * second);
  assert.match(JSON.stringify(long), /^\d{19}$/);
  assert.is(nanoseconds(0), 0);
});

const check = { test: ['CMD', 'ok'], interval: 0, timeout: 0, startPeriod: 0, startInterval: 0, retries: 0 };

test("a check of health is the caller's, then the image's, then none", () => {
  assert.is(planHealth(defaults.health, undefined), undefined);
  assert.is(planHealth({ ...defaults.health, test: ['NONE'] }, check), undefined);
  assert.is(planHealth(defaults.health, { ...check, test: ['NONE'] }), undefined);
  assert.is(planHealth(defaults.health, { ...check, test: [] }), undefined);
  assert.equal(planHealth(defaults.health, check)?.test, ['CMD', 'ok']);
  assert.equal(planHealth({ ...defaults.health, test: ['CMD-SHELL', 'x'] }, check)?.test, ['CMD-SHELL', 'x']);
});

test("its times are the caller's, then the image's, then docker's", () => {
  const usual = planHealth(defaults.health, check);
  assert.equal(usual, { ...defaults.health, ...check, interval: 30 * second, timeout: 30 * second, startInterval: 5 * second, retries: 3 });
  const mixed = planHealth({ ...defaults.health, interval: 5 }, { ...check, interval: 9, retries: 7, startPeriod: 2 });
  assert.equal([mixed?.interval, mixed?.retries, mixed?.startPeriod], [5, 7, 2]);
});

const signals: readonly (readonly [string, number | undefined])[] = [
  ['TERM', 15],
  ['sigterm', 15],
  ['SIGKILL', 9],
  ['9', 9],
  ['64', 64],
  ['RTMIN', 34],
  ['SIGRTMIN+3', 37],
  ['RTMAX-1', 63],
  ['RTMAX+1', undefined],
  ['RTMIN-1', undefined],
  ['0', undefined],
  ['65', undefined],
  ['', undefined],
  ['constructor', undefined],
  ['SIGNOPE', undefined],
];

for (const [text, number] of signals) test(`signal "${text}" is ${number}`, () => assert.is(signalNumber(text), number));

test('a number becomes the name that reads back as that number', () => {
  for (const number of [1, 9, 15, 34, 37, 64]) assert.is(signalNumber(signalName(number)), number);
});

test('labels and variables that were named stand beside each line of the log', async () => {
  const log = { driver: 'json-file', maxSize: 0, maxFile: 1, whenFull: 'drop' } as const;
  const of = async (more: Partial<ContainerOptions['log']>) => {
    const { content } = await fileOf({ log: { ...log, ...more }, env: ['WORD=own', 'PLAIN'] }, { labels: { tier: 'front', team: 'a' } });
    return (content['log'] as { attributes?: unknown }).attributes;
  };
  assert.equal(await of({ labels: ['tier', 'none'], env: ['WORD'] }), { tier: 'front', WORD: 'own' });
  assert.equal(await of({ labelsRegex: '^te', envRegex: 'W.RD|HOSTNAME' }), { team: 'a', WORD: 'own' });
  assert.is(await of({ labels: ['none'] }), undefined);
});

test("a tag is docker's template; what it does not know stays", () => {
  const of = (template: string) => expandTag(template, { ...facts, image: 'web:2', imageId: `sha256:${'ab'.repeat(32)}` });
  assert.is(of('{{.ImageName}}/{{.Name}}/{{.ID}}'), 'web:2/web/0123456789ab');
  assert.is(of('{{ .FullID }}'), facts.id);
  assert.is(of('{{.ImageID}}'), 'ababababab'.concat('ab'));
  assert.is(of('{{.Nope}} {{'), '{{.Nope}} {{');
});

test('-P publishes what the image and --expose name, each once, beside what was published by hand', () => {
  const by = { hostPort: 8080, containerPort: 80, protocol: 'tcp' as const };
  const ports = publishAll(
    { ports: [by], expose: ['53/udp', '90-91/tcp'] },
    { ...image, exposedPorts: ['80/tcp', '443', 'nope', '53/udp'] },
  );
  assert.equal(
    ports.map(({ hostPort, containerPort, protocol }) => `${hostPort}:${containerPort}/${protocol}`),
    ['8080:80/tcp', '0:443/tcp', '0:53/udp', '0:90/tcp', '0:91/tcp'],
  );
  assert.equal(exposedPorts(['0', '70000', '9-8'], image), []);
});

test.run();
