/** `rootless quadlet`: containers as units, from .container files (podman-systemd.unit(5)): print, install, ls, rm. */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { RootlessError } from '../errors.ts';
import { makeFolders, findPaths } from '../paths.ts';
import { callersMode } from '../umask.ts';
import { command } from './command.ts';
import { formatFlag, render, table } from './format.ts';
import { notice } from './notice.ts';
import { print } from './output.ts';
import { madeBy, type Quadlet, translate } from './quadlet-translate.ts';
import { unitEnvironment } from './unit-environment.ts';

const files = { usage: 'FILE [FILE...]', min: 1, max: Number.POSITIVE_INFINITY, complete: 'file' } as const;

export const quadletPrint = command({
  name: 'quadlet print',
  flags: {},
  words: files,
  examples: ['rootless quadlet print web.container'],
  run: ({ args, env }) => {
    const environment = unitEnvironment(findPaths(env), env);
    for (const file of args) print(read(file, environment).text);
    return 0;
  },
});

export const quadletInstall = command({
  name: 'quadlet install',
  flags: {
    replace: { type: 'boolean', description: 'in place of the unit that has the name' },
    'reload-systemd': { type: 'boolean', default: true, description: 'tell the user systemd at once' },
    now: { type: 'boolean', description: 'start it too' },
  },
  words: files,
  examples: ['rootless quadlet install web.container && systemctl --user start web'],
  run: async ({ flags, args, env }) => {
    const paths = findPaths(env);
    const folder = unitFolder(dirname(paths.config));
    const environment = unitEnvironment(paths, env);
    // All are read before one is written.
    const quadlets = args.map((file) => read(file, environment));
    for (const quadlet of quadlets) print(`${install(folder, quadlet, flags.replace)}\n`);
    if (flags['reload-systemd']) manager(['daemon-reload']);
    if (flags.now) manager(['start', ...quadlets.map(({ unit }) => unit)]);
    if (quadlets.some(({ links }) => links.length > 0)) {
      const { warnLinger } = await import('./linger.ts');
      warnLinger();
    }
    return 0;
  },
});

export const quadletLs = command({
  name: 'quadlet ls',
  flags: { format: formatFlag, noheading: { type: 'boolean', description: 'leave out the headings' } },
  words: { usage: '', min: 0, max: 0 },
  run: ({ flags, env }) => {
    const rows = installed(unitFolder(dirname(findPaths(env).config)));
    if (flags.format !== undefined) print(render(flags.format, rows, 'list'));
    else print(table([...(flags.noheading ? [] : [['NAME', 'FILE']]), ...rows.map(({ Name, File }) => [Name, File])]));
    return 0;
  },
});

export const quadletRm = command({
  name: 'quadlet rm',
  flags: { 'reload-systemd': { type: 'boolean', default: true, description: 'tell the user systemd at once' } },
  words: { usage: 'NAME [NAME...]', min: 1, max: Number.POSITIVE_INFINITY },
  run: ({ flags, args, env }) => {
    const folder = unitFolder(dirname(findPaths(env).config));
    const known = installed(folder);
    for (const name of args) {
      const unit = unitOf(name);
      if (!known.some(({ Name }) => Name === unit)) {
        throw new RootlessError({ code: 'QUADLET_NOT_FOUND', message: `no such quadlet: "${name}"`, fix: 'rootless quadlet ls', exit: 1 });
      }
      manager(['stop', unit], true);
      remove(folder, unit);
      print(`${unit}\n`);
    }
    if (flags['reload-systemd']) manager(['daemon-reload']);
    return 0;
  },
});

/** `web`, `web.container`, `front.network`, or the unit itself. */
function unitOf(name: string): string {
  return name.endsWith('.network')
    ? `${name.slice(0, -'.network'.length)}-network.service`
    : `${name.replace(/\.(service|container)$/, '')}.service`;
}

function read(file: string, environment: ReturnType<typeof unitEnvironment>): Quadlet {
  const path = resolve(file);
  try {
    return translate(readFileSync(path, 'utf8'), path, environment);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (cause instanceof RootlessError || code === undefined) throw cause;
    throw new RootlessError({ code: 'FILE_UNREADABLE', message: `cannot read "${file}": ${code}`, cause });
  }
}

/** Where the user's systemd looks first (systemd.unit(5)). */
function unitFolder(config: string): string {
  return join(config, 'systemd/user');
}

function install(folder: string, { unit, text, links }: Quadlet, replace: boolean): string {
  const path = join(folder, unit);
  if (existsSync(path) && !replace) {
    throw new RootlessError({
      code: 'UNIT_EXISTS',
      message: `there is a unit "${path}" already`,
      fix: '--replace puts this one in its place',
    });
  }
  if (existsSync(path)) remove(folder, unit);
  makeFolders(folder, callersMode(0o777));
  writeFileSync(path, text, { mode: callersMode(0o644) });
  for (const link of links) {
    const from = join(folder, link);
    makeFolders(dirname(from), callersMode(0o777));
    if (!existsSync(from)) symlinkSync(link.includes('/') ? `../${unit}` : unit, from);
  }
  return path;
}

type Installed = { readonly Name: string; readonly File: string };

function installed(folder: string): Installed[] {
  return list(folder)
    .filter((name) => name.endsWith('.service'))
    .flatMap((name) => {
      const first = readText(join(folder, name)).split('\n', 1)[0] ?? '';
      return first.startsWith(madeBy) ? [{ Name: name, File: first.slice(madeBy.length).trim() }] : [];
    });
}

/** The unit and every link to it; a folder of links that is empty then goes too. */
function remove(folder: string, unit: string): void {
  const links = list(folder).filter((name) => /\.(wants|requires)$/.test(name));
  for (const place of links) {
    rmSync(join(folder, place, unit), { force: true });
    if (list(join(folder, place)).length === 0) rmdirSync(join(folder, place));
  }
  rmSync(join(folder, unit), { force: true });
}

/** A machine without a user systemd can still be prepared for one. */
function manager(words: readonly string[], quiet = false): void {
  const run = spawnSync('systemctl', ['--user', '--no-pager', ...words], { encoding: 'utf8', timeout: 60_000 });
  if (run.status === 0 || quiet) return;
  const reason = run.error === undefined ? (run.stderr.trim().split('\n')[0] ?? '') : 'systemctl cannot be started';
  notice(`systemctl --user ${words.join(' ')} failed: ${reason}`);
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
