/** Where rootless keeps things: XDG folders. The only reader of path variables in the environment. */

import { chmodSync, existsSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { RootlessError } from './errors.ts';

/** Absolute folders. `data` outlives a reboot, `runtime` must not. */
export type Paths = {
  /**
   * Images, unpacked layers, containers: the folder `store` in `$ROOTLESS_DATA`, else in `$XDG_DATA_HOME/rootless`. The folder above it
   * is closed to others: a layer's set-user-id programs belong to this user, and nobody else on the machine may reach them.
   */
  readonly data: string;
  /** Stores of others that are only read, `$ROOTLESS_ADDITIONAL_STORES`: each is what ROOTLESS_DATA is for its owner. */
  readonly additional: readonly string[];
  /** State that ends with the boot: `$XDG_RUNTIME_DIR/rootless`, /run/user/UID/rootless, or a private folder in the temporary folder. */
  readonly runtime: string;
  readonly cache: string;
  readonly config: string;
  readonly home: string;
  /** The built product: helper, WebAssembly, embedded image. */
  readonly dist: string;
  /** `$ROOTLESS_HELPER`, else `dist/rootless-helper`. */
  readonly helper: string;
  readonly registry: RegistryEnvironment;
};

/** What the environment says about talking to registries. */
export type RegistryEnvironment = {
  /** Files with credentials, the first that knows the registry wins: `$REGISTRY_AUTH_FILE` alone, else podman's and docker's. */
  readonly authFiles: readonly string[];
  /** Folders of `HOST[:PORT]/{*.crt,*.cert,*.key}`, as docker and podman have them. */
  readonly certFolders: readonly string[];
  /** registries.conf: the first of these that is there, */
  readonly registriesFiles: readonly string[];
  /** and every *.conf in these, later ones winning, */
  readonly registriesFolders: readonly string[];
  /** and what podman noted of short names. */
  readonly aliasesFile: string;
  readonly httpProxy: string | undefined;
  readonly httpsProxy: string | undefined;
  readonly noProxy: string | undefined;
};

/** Reads the environment once; creates nothing but its own two private folders. */
export function findPaths(env: NodeJS.ProcessEnv = process.env): Paths {
  const home = env['HOME'] || homedir();
  const dist = env['ROOTLESS_DIST'] || distFolder();
  return {
    data: storeFolder(env['ROOTLESS_DATA'] || join(env['XDG_DATA_HOME'] || join(home, '.local/share'), 'rootless')),
    additional: additionalStores(env['ROOTLESS_ADDITIONAL_STORES']),
    runtime: runtimeFolder(env),
    cache: join(env['XDG_CACHE_HOME'] || join(home, '.cache'), 'rootless'),
    config: join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'rootless'),
    home,
    dist,
    helper: env['ROOTLESS_HELPER'] || join(dist, 'rootless-helper'),
    registry: registryEnvironment(env, home),
  };
}

/** An upper-case HTTP_PROXY is ignored where a web server may have set it from a header (CGI, "httpoxy"). */
function registryEnvironment(env: NodeJS.ProcessEnv, home: string): RegistryEnvironment {
  const config = env['XDG_CONFIG_HOME'] || join(home, '.config');
  const session = env['XDG_RUNTIME_DIR'] ? [join(env['XDG_RUNTIME_DIR'], 'containers/auth.json')] : [];
  const docker = join(env['DOCKER_CONFIG'] || join(home, '.docker'), 'config.json');
  return {
    authFiles: env['REGISTRY_AUTH_FILE'] ? [env['REGISTRY_AUTH_FILE']] : [...session, join(config, 'containers/auth.json'), docker],
    certFolders: [join(config, 'containers/certs.d'), join(config, 'docker/certs.d'), '/etc/containers/certs.d', '/etc/docker/certs.d'],
    registriesFiles: env['CONTAINERS_REGISTRIES_CONF']
      ? [env['CONTAINERS_REGISTRIES_CONF']]
      : [join(config, 'containers/registries.conf'), '/etc/containers/registries.conf'],
    registriesFolders: ['/etc/containers/registries.conf.d', join(config, 'containers/registries.conf.d')],
    aliasesFile: join(env['XDG_CACHE_HOME'] || join(home, '.cache'), 'containers/short-name-aliases.conf'),
    httpProxy: env['http_proxy'] || (env['REQUEST_METHOD'] ? undefined : env['HTTP_PROXY']) || undefined,
    httpsProxy: env['https_proxy'] || env['HTTPS_PROXY'] || undefined,
    noProxy: env['no_proxy'] || env['NO_PROXY'] || undefined,
  };
}

/** Nothing is made or changed there, and one that is missing is empty. */
function additionalStores(list: string | undefined): string[] {
  const bases = list?.split(':').filter((base) => base.startsWith('/')) ?? [];
  return bases.map((base) => (existsSync(join(base, 'store')) ? join(base, 'store') : base));
}

/** Where nothing can be made, whoever needs the store finds out; a folder of somebody else's is not changed. */
function storeFolder(base: string): string {
  const store = join(base, 'store');
  try {
    const stat = lstatSync(base, { throwIfNoEntry: false });
    if (stat === undefined) makeFolders(base, 0o700);
    else if ((stat.mode & 0o077) !== 0) chmodSync(base, 0o700);
    // Others may pass through, as far as they come: with --userns nomap and auto the container's root is one of them.
    if (!existsSync(store)) mkdirSync(store, { mode: 0o711 });
  } catch {
    // A read-only store, no home, somebody else's folder: see above.
  }
  return store;
}

/** One by one: where a folder is there and nothing can be made in it (/proc, a home that is yet to be mounted) Node's own way never ends. */
export function makeFolders(path: string, mode = 0o777): void {
  try {
    makeEach(path, mode);
  } catch (error) {
    // What was wanted says more than how far it went.
    throw Object.assign(error as NodeJS.ErrnoException, { path });
  }
}

function makeEach(path: string, mode: number): void {
  const isThere = () => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  if (isThere()) return;
  if (dirname(path) !== path) makeEach(dirname(path), mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !isThere()) throw error;
  }
}

/** Chunks lie flat in dist/, so this file's own folder is dist/ once bundled; from source it is src/. */
function distFolder(): string {
  const here = import.meta.dirname;
  return here.endsWith('/src') ? join(here, '../dist') : here;
}

function runtimeFolder(env: NodeJS.ProcessEnv): string {
  const uid = process.getuid?.() ?? 0;
  for (const base of [env['XDG_RUNTIME_DIR'], `/run/user/${uid}`]) {
    if (base && owner(base) === uid) return join(base, 'rootless');
  }
  const own = join(tmpdir(), `rootless-${uid}`);
  makeFolders(own, 0o700);
  const stat = lstatSync(own);
  if (!stat.isDirectory() || stat.uid !== uid || (stat.mode & 0o077) !== 0) {
    throw new RootlessError({
      code: 'RUNTIME_DIR_UNSAFE',
      message: `cannot use "${own}" for runtime state: it is not a private folder of yours`,
      why: 'XDG_RUNTIME_DIR is not set to a folder that you own, and another user may have made this one',
      fix: `rm -rf ${own}, or set XDG_RUNTIME_DIR to a private folder`,
    });
  }
  return own;
}

function owner(path: string): number | undefined {
  try {
    const stat = lstatSync(path);
    return stat.isDirectory() ? stat.uid : undefined;
  } catch {
    // Missing, below a file, behind a closed folder: not a folder of ours.
    return undefined;
  }
}
