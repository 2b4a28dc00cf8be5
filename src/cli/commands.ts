/** The command tree: names, one line about each, and a lazy import. The maps have no prototype: `rootless constructor` is unknown. */

import type { Command } from './command.ts';

export type Group = 'containers' | 'images' | 'checks' | 'this program';

export type Entry = {
  readonly summary: string;
  readonly group: Group;
  readonly hidden?: true;
  readonly load: () => Promise<{ readonly default: Command }>;
};

/** In the order of `rootless --help`. A name of two words is known by its family alone: `image prune`. */
export const commands: Readonly<Record<string, Entry>> = map({
  run: { group: 'containers', summary: 'run a command in a new container', load: () => import('./run.ts') },
  ps: { group: 'containers', summary: 'list containers', load: () => import('./ps.ts') },
  create: { group: 'containers', summary: 'make a container without starting it', load: () => import('./create.ts') },
  start: { group: 'containers', summary: 'start containers', load: () => import('./start.ts') },
  stop: { group: 'containers', summary: 'stop containers', load: () => import('./stop.ts') },
  restart: { group: 'containers', summary: 'stop containers and start them again', load: () => import('./restart.ts') },
  kill: { group: 'containers', summary: 'send a signal to containers', load: () => import('./kill.ts') },
  pause: { group: 'containers', summary: 'freeze containers', load: () => import('./pause.ts') },
  unpause: { group: 'containers', summary: 'let paused containers go on', load: () => import('./unpause.ts') },
  wait: { group: 'containers', summary: 'wait for the end of containers', load: () => import('./wait.ts') },
  rename: { group: 'containers', summary: 'give a container another name', load: () => import('./rename.ts') },
  rm: { group: 'containers', summary: 'remove containers', load: () => import('./rm.ts') },
  logs: { group: 'containers', summary: 'show what containers have said', load: () => import('./logs.ts') },
  exec: { group: 'containers', summary: 'run a command in a running container', load: () => import('./exec.ts') },
  attach: { group: 'containers', summary: 'join the terminal or streams of a running container', load: () => import('./attach.ts') },
  cp: { group: 'containers', summary: 'copy files between a container and this machine', load: () => import('./cp.ts') },
  diff: { group: 'containers', summary: 'show what a container has changed', load: () => import('./diff.ts') },
  commit: { group: 'containers', summary: "make an image of a container's changes", load: () => import('./commit.ts') },
  export: { group: 'containers', summary: "write a container's filesystem to a tar", load: () => import('./export.ts') },
  top: { group: 'containers', summary: 'show the processes of a container', load: () => import('./top.ts') },
  stats: { group: 'containers', summary: 'show what running containers use', load: () => import('./stats.ts') },
  port: { group: 'containers', summary: 'show published ports', load: () => import('./port.ts') },
  'container prune': { group: 'containers', summary: 'remove containers that do not run', load: () => import('./container-prune.ts') },
  'container exists': {
    group: 'containers',
    summary: 'say by the exit code whether there is one',
    load: () => import('./container-exists.ts'),
  },
  'healthcheck run': { group: 'containers', summary: 'check the health of a container now', load: () => import('./healthcheck-run.ts') },
  events: { group: 'containers', summary: 'show what happens, as it happens', load: () => import('./events.ts') },
  'container inspect': {
    group: 'containers',
    summary: 'show all that is known of containers',
    load: () => import('./container-inspect.ts'),
  },
  pull: { group: 'images', summary: 'fetch an image', load: () => import('./pull.ts') },
  push: { group: 'images', summary: 'send an image to a registry', load: () => import('./push.ts') },
  login: { group: 'images', summary: 'log in to a registry', load: () => import('./login.ts') },
  search: { group: 'images', summary: 'list tags and repositories of a registry', load: () => import('./search.ts') },
  logout: { group: 'images', summary: 'forget a login', load: () => import('./logout.ts') },
  images: { group: 'images', summary: 'list images', load: () => import('./images.ts') },
  tag: { group: 'images', summary: 'give an image another name', load: () => import('./tag.ts') },
  untag: { group: 'images', summary: 'take names from an image', load: () => import('./untag.ts') },
  rmi: { group: 'images', summary: 'remove images', load: () => import('./rmi.ts') },
  history: { group: 'images', summary: 'show how an image was made', load: () => import('./history.ts') },
  save: { group: 'images', summary: 'write images to an archive or folder', load: () => import('./save.ts') },
  load: { group: 'images', summary: 'read images from an archive or folder', load: () => import('./load.ts') },
  'image inspect': { group: 'images', summary: 'show all that is known of images', load: () => import('./image-inspect.ts') },
  'image exists': { group: 'images', summary: 'say by the exit code whether there is one', load: () => import('./image-exists.ts') },
  'image prune': { group: 'images', summary: 'remove images that nothing uses', load: () => import('./image-prune.ts') },
  'volume create': { group: 'containers', summary: 'make a named volume', load: () => import('./volume-create.ts') },
  'volume ls': { group: 'containers', summary: 'list volumes', load: () => import('./volume-ls.ts') },
  'volume inspect': { group: 'containers', summary: 'show all that is known of volumes', load: () => import('./volume-inspect.ts') },
  'volume rm': { group: 'containers', summary: 'remove volumes', load: () => import('./volume-rm.ts') },
  'volume prune': { group: 'containers', summary: 'remove volumes that nothing uses', load: () => import('./volume-prune.ts') },
  'volume exists': { group: 'containers', summary: 'say by the exit code whether there is one', load: () => import('./volume-exists.ts') },
  inspect: { group: 'checks', summary: 'show all that is known of containers, images and volumes', load: () => import('./inspect.ts') },
  validate: {
    group: 'checks',
    summary: 'check a bundle, config, manifest, profile or layer',
    load: () => import('./validate.ts'),
  },
  info: { group: 'checks', summary: 'show what this machine and user can do', load: () => import('./info.ts') },
  doctor: { group: 'checks', summary: 'find what this machine lacks, and how to mend it', load: () => import('./doctor.ts') },
  unshare: { group: 'checks', summary: 'run a shell with the ids of containers', load: () => import('./unshare.ts') },
  version: { group: 'this program', summary: 'show the version', load: () => import('./version.ts') },
  completion: {
    group: 'this program',
    summary: 'print a completion script for bash, zsh or fish',
    load: () => import('./completion.ts'),
  },
  __complete: { group: 'this program', summary: 'names for completion', hidden: true, load: () => import('./complete.ts') },
});

/** docker's second spelling: `rootless image ls`. Values are names of commands. */
export const families: Readonly<Record<string, Readonly<Record<string, string>>>> = map({
  container: map({
    logs: 'logs',
    exec: 'exec',
    attach: 'attach',
    cp: 'cp',
    diff: 'diff',
    commit: 'commit',
    export: 'export',
    run: 'run',
    create: 'create',
    start: 'start',
    stop: 'stop',
    restart: 'restart',
    kill: 'kill',
    pause: 'pause',
    unpause: 'unpause',
    wait: 'wait',
    rename: 'rename',
    ls: 'ps',
    list: 'ps',
    ps: 'ps',
    rm: 'rm',
    remove: 'rm',
    inspect: 'container inspect',
    top: 'top',
    stats: 'stats',
    port: 'port',
    prune: 'container prune',
    exists: 'container exists',
  }),
  image: map({
    ls: 'images',
    list: 'images',
    tag: 'tag',
    untag: 'untag',
    rm: 'rmi',
    remove: 'rmi',
    history: 'history',
    save: 'save',
    load: 'load',
    prune: 'image prune',
    pull: 'pull',
    push: 'push',
    inspect: 'image inspect',
    exists: 'image exists',
  }),
  volume: map({
    create: 'volume create',
    ls: 'volume ls',
    list: 'volume ls',
    inspect: 'volume inspect',
    rm: 'volume rm',
    remove: 'volume rm',
    prune: 'volume prune',
    exists: 'volume exists',
  }),
  healthcheck: map({ run: 'healthcheck run' }),
  system: map({ info: 'info', events: 'events' }),
});

function map<T>(entries: Record<string, T>): Record<string, T> {
  return Object.assign(Object.create(null), entries);
}
