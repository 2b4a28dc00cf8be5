/** docker's rules of where a copy ends up, and instructions of commit. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RootlessError } from '../../src/errors.ts';
import { applyChanges, type RunConfig } from '../../src/runtime/change.ts';
import { overlayConfig } from '../../src/runtime/commit-config.ts';
import { copyTarget, type Side } from '../../src/runtime/copy-target.ts';
import { defaults } from '../../src/runtime/options.ts';

const side = (path: string, what: Side['what']): Side => ({ path, what, shown: path });

const targets: readonly (readonly [from: Side, to: Side, folder: string, name: string])[] = [
  [side('/s/f', 'file'), side('/d', 'folder'), '/d', 'f'],
  [side('/s/f', 'file'), side('/d/', 'folder'), '/d/', 'f'],
  [side('/s/f', 'file'), side('/d/g', 'file'), '/d', 'g'],
  [side('/s/f', 'file'), side('/d/g', 'nothing'), '/d', 'g'],
  [side('/s', 'folder'), side('/d', 'folder'), '/d', 's'],
  [side('/s/', 'folder'), side('/d', 'folder'), '/d', 's'],
  [side('/s/.', 'folder'), side('/d', 'folder'), '/d', '.'],
  [side('/s', 'folder'), side('/d/new', 'nothing'), '/d', 'new'],
  [side('/s', 'folder'), side('/d/new/', 'nothing'), '/d', 'new'],
  [side('/s/.', 'folder'), side('/d/new', 'nothing'), '/d', 'new'],
  [side('/', 'folder'), side('/d', 'folder'), '/d', '.'],
];

for (const [from, to, folder, name] of targets) {
  test(`${from.path} (${from.what}) to ${to.path} (${to.what}) is ${name} in ${folder}`, () => {
    assert.equal(copyTarget(from, to), { folder, name });
  });
}

const refusals: readonly (readonly [from: Side, to: Side, code: string])[] = [
  [side('/s', 'folder'), side('/d', 'file'), 'PATH_KIND'],
  [side('/s/f', 'file'), side('/d/new/', 'nothing'), 'PATH_NOT_FOUND'],
  [side('/s/f', 'file'), side('/d/g/', 'file'), 'PATH_NOT_FOLDER'],
];

for (const [from, to, code] of refusals) {
  test(`${from.path} (${from.what}) to ${to.path} (${to.what}) is refused: ${code}`, () => {
    assert.throws(
      () => copyTarget(from, to),
      (error: unknown) => error instanceof RootlessError && error.code === code,
    );
  });
}

const changes: readonly (readonly [line: string, before: RunConfig, after: RunConfig])[] = [
  ['CMD ["a", "b c"]', { Cmd: ['x'] }, { Cmd: ['a', 'b c'] }],
  ['cmd echo $HOME', {}, { Cmd: ['/bin/sh', '-c', 'echo $HOME'] }],
  ['CMD []', { Cmd: ['x'] }, { Cmd: [] }],
  ['ENTRYPOINT ["/e"]', { Cmd: ['x'] }, { Entrypoint: ['/e'] }],
  ['ENV A=1 B="two words" C=a\\ b', { Env: ['A=0', 'P=/'] }, { Env: ['A=1', 'P=/', 'B=two words', 'C=a b'] }],
  ['ENV OLD form with spaces', {}, { Env: ['OLD=form with spaces'] }],
  ["LABEL a='x y' b=", { Labels: { z: '1' } }, { Labels: { z: '1', a: 'x y', b: '' } }],
  ['EXPOSE 80 53/udp 9000-9001', {}, { ExposedPorts: { '80/tcp': {}, '53/udp': {}, '9000/tcp': {}, '9001/tcp': {} } }],
  ['VOLUME ["/a b"]', {}, { Volumes: { '/a b': {} } }],
  ['VOLUME /a /b', { Volumes: { '/z': {} } }, { Volumes: { '/z': {}, '/a': {}, '/b': {} } }],
  ['USER ana:users', {}, { User: 'ana:users' }],
  ['WORKDIR sub', { WorkingDir: '/srv' }, { WorkingDir: '/srv/sub' }],
  ['WORKDIR /x/', { WorkingDir: '/srv' }, { WorkingDir: '/x' }],
  ['STOPSIGNAL SIGQUIT', {}, { StopSignal: 'SIGQUIT' }],
  ['HEALTHCHECK NONE', {}, { Healthcheck: { Test: ['NONE'] } }],
  [
    'HEALTHCHECK --interval=1m30s --retries=2 CMD curl -f localhost',
    {},
    { Healthcheck: { Test: ['CMD-SHELL', 'curl -f localhost'], Interval: 90e9, Retries: 2 } },
  ],
  ['HEALTHCHECK --timeout=500ms CMD ["/probe"]', {}, { Healthcheck: { Test: ['CMD', '/probe'], Timeout: 5e8 } }],
  ['ONBUILD RUN make', { OnBuild: ['COPY . /src'] }, { OnBuild: ['COPY . /src', 'RUN make'] }],
];

for (const [line, before, after] of changes) {
  test(`change: ${line}`, () => assert.equal(applyChanges(before, [line]), after));
}

test('an ENTRYPOINT keeps a command that an earlier change gave', () => {
  assert.equal(applyChanges({ Cmd: ['old'] }, ['CMD ["new"]', 'ENTRYPOINT ["/e"]']), { Cmd: ['new'], Entrypoint: ['/e'] });
});

const wrong = ['RUN make', 'COPY a b', 'FROM x', '', 'ENV', 'ENV =x', 'ENV A=1 B', 'LABEL "open', 'EXPOSE http', 'EXPOSE 70000', 'EXPOSE 0']
  .concat(['HEALTHCHECK curl', 'HEALTHCHECK --interval=soon CMD x', 'HEALTHCHECK --nothing=1 CMD x', 'STOPSIGNAL now!'])
  .concat(['ONBUILD FROM x', 'ONBUILD ONBUILD RUN x', 'constructor x', '__proto__ x']);

for (const line of wrong) {
  test(`not a change: "${line}"`, () => {
    assert.throws(
      () => applyChanges({}, [line]),
      (error: unknown) => error instanceof RootlessError && error.code === 'CHANGE_INVALID',
    );
  });
}

test('flags of run are in the image that commit makes, fields that are unknown stay', () => {
  const image = { Cmd: ['sh'], Env: ['PATH=/bin', 'A=1'], Labels: { a: '1' }, ArgsEscaped: true };
  const asked = { ...defaults, image: 'x', env: ['A=2'], workdir: '/w', labels: { b: '2' }, entrypoint: ['/e'], expose: ['80/tcp'] };
  assert.equal(overlayConfig(image, asked), {
    Cmd: [],
    Entrypoint: ['/e'],
    Env: ['PATH=/bin', 'A=2'],
    WorkingDir: '/w',
    Labels: { a: '1', b: '2' },
    ExposedPorts: { '80/tcp': {} },
    ArgsEscaped: true,
  });
});

test.run();
