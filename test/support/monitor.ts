/** A container under `rootless-helper run --monitor`, driven without the command line: a bundle with one mapped id, and the monitor's socket. */

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join, relative } from 'node:path';
import { gid, helper, uid } from './checkout.ts';
import { eventually } from './eventually.ts';
import { busyboxRootfs } from './images.ts';
import { withTmp } from './tmp.ts';

export type Answer = {
  readonly ok?: boolean;
  readonly code?: number;
  readonly exit?: number;
  readonly step?: string;
  readonly message?: string;
  readonly [key: string]: unknown;
};

export type Status = {
  readonly status: string;
  readonly monitor: { readonly pid: number };
  readonly pid: number;
  readonly code?: number;
  readonly restarts: number;
  readonly [key: string]: unknown;
};

export type Wish = {
  readonly args: readonly string[];
  readonly terminal?: boolean;
  /** monitor.json */
  readonly monitor?: Readonly<Record<string, unknown>>;
  /** Of config.json's process. */
  readonly process?: Readonly<Record<string, unknown>>;
};

/** Starts it detached, and ends it with the test. */
export function monitored(wish: Wish, body: (container: Monitored) => Promise<void>): Promise<void> {
  return withTmp(async (folder) => {
    const container = new Monitored(folder, wish);
    const run = container.run(['--detach']);
    if (run.status !== 0) throw new Error(`exit ${run.status}: ${run.stderr}`);
    try {
      await body(container);
    } finally {
      await container.end();
    }
  });
}

export class Monitored {
  readonly id = 'c';
  readonly folder: string;
  readonly root: string;

  constructor(folder: string, wish: Wish) {
    this.folder = folder;
    this.root = join(folder, 'run');
    mkdirSync(join(folder, 'bundle/rootfs'), { recursive: true });
    busyboxRootfs(join(folder, 'bundle/rootfs'));
    writeFileSync(this.path('config.json'), JSON.stringify(config(wish)));
    writeFileSync(this.path('monitor.json'), JSON.stringify(wish.monitor ?? {}));
  }

  /** A file of the bundle. */
  path(name: string): string {
    return join(this.folder, 'bundle', name);
  }

  args(flags: readonly string[]): string[] {
    return ['--root', this.root, 'run', '--monitor', this.path('monitor.json'), ...flags, '--bundle', join(this.folder, 'bundle'), this.id];
  }

  run(flags: readonly string[], input = '') {
    return spawnSync(helper, this.args(flags), { encoding: 'utf8', input });
  }

  start(flags: readonly string[], stdio: ('pipe' | 'ignore')[]) {
    return spawn(helper, this.args(flags), { stdio });
  }

  /** Another program in it, by the `session` verb. */
  exec(process: Readonly<Record<string, unknown>>, more: Readonly<Record<string, unknown>> = {}, input = '') {
    const request = JSON.stringify({ op: 'exec', process, ...more });
    return spawnSync(helper, ['--root', this.root, 'session', '--request', request, this.id], { encoding: 'utf8', input });
  }

  status(): Status {
    return JSON.parse(readFileSync(this.path('status.json'), 'utf8')) as Status;
  }

  log(): string {
    const lines = readFileSync(this.path('log'), 'utf8').split('\n');
    return lines.flatMap((line) => (line === '' ? [] : [(JSON.parse(line) as { log: string }).log])).join('');
  }

  /** A connection; the path is relative because a socket's address is short. */
  dial(): Socket {
    return connect(relative(process.cwd(), join(this.root, this.id, 'monitor')));
  }

  /** One request, one answer. */
  async ask(request: Readonly<Record<string, unknown>>): Promise<Answer> {
    const conversation = new Conversation(this.dial());
    conversation.socket.write(`${JSON.stringify(request)}\n`);
    try {
      return JSON.parse(await conversation.line()) as Answer;
    } finally {
      conversation.socket.destroy();
    }
  }

  /** A client that was told that it is attached. */
  async attach(stdin: boolean): Promise<Conversation> {
    const conversation = new Conversation(this.dial());
    conversation.socket.write(`${JSON.stringify({ op: 'attach', stdin })}\n`);
    const answer = JSON.parse(await conversation.line()) as Answer;
    if (answer.ok !== true) throw new Error(JSON.stringify(answer));
    return conversation;
  }

  async end(): Promise<void> {
    spawnSync(helper, ['--root', this.root, 'delete', '--force', this.id]);
    await this.ask({ op: 'stop', timeout: 0 }).catch(() => undefined);
    await eventually(() => {
      if (isAlive(this.status().monitor.pid)) throw new Error('the monitor is still there');
    });
  }
}

/** What the other side says: lines, then frames. */
export class Conversation {
  readonly socket: Socket;
  #said: Buffer = Buffer.alloc(0);
  readonly #chunks: AsyncIterator<Buffer>;

  constructor(socket: Socket) {
    this.socket = socket;
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** The next line; an error when the other side closes before. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#said.indexOf('\n');
      if (end >= 0) {
        const line = this.#said.toString('utf8', 0, end);
        this.#said = this.#said.subarray(end + 1);
        return line;
      }
      const { value, done } = await this.#chunks.next();
      if (done === true) throw new Error(`closed after "${this.#said.toString()}"`);
      this.#said = Buffer.concat([this.#said, value]);
    }
  }

  /** All frames until the other side closes. */
  async frames(): Promise<Frames> {
    const chunks = [this.#said];
    for (let next = await this.#chunks.next(); next.done !== true; next = await this.#chunks.next()) chunks.push(next.value);
    return framesOf(Buffer.concat(chunks));
  }

  /** Reads on until so many bytes came, and forgets them. */
  async skip(bytes: number): Promise<void> {
    let count = this.#said.length;
    while (count < bytes) {
      const { value, done } = await this.#chunks.next();
      if (done === true) throw new Error(`closed after ${count} bytes`);
      count += value.length;
    }
  }
}

/** A frame of an attached client. */
export function frame(kind: number, payload: string | Buffer): Buffer {
  const body = Buffer.from(payload);
  const header = Buffer.alloc(8);
  header[0] = kind;
  header.writeUInt32BE(body.length, 4);
  return Buffer.concat([header, body]);
}

export type Frames = { readonly out: string; readonly err: string; readonly end: string | undefined };

function framesOf(all: Buffer): Frames {
  const texts: string[] = ['', '', '', ''];
  for (let at = 0; at + 8 <= all.length; ) {
    const length = all.readUInt32BE(at + 4);
    texts[all[at] ?? 0] += all.toString('utf8', at + 8, at + 8 + length);
    at += 8 + length;
  }
  return { out: texts[1] ?? '', err: texts[2] ?? '', end: texts[3] };
}

/** A corpse that nobody has waited for is not alive. */
export function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

function config(wish: Wish): object {
  const capabilities = ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_KILL', 'CAP_SETUID', 'CAP_SETGID'];
  const mount = (destination: string, type: string, options: string[] = []) => ({ destination, type, source: type, options });
  return {
    ociVersion: '1.2.0',
    process: {
      terminal: wish.terminal ?? false,
      user: { uid: 0, gid: 0 },
      args: wish.args,
      env: ['PATH=/bin', 'OWN=1'],
      cwd: '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      noNewPrivileges: true,
      ...wish.process,
    },
    root: { path: 'rootfs' },
    mounts: [mount('/proc', 'proc'), mount('/dev', 'tmpfs', ['mode=755']), mount('/dev/pts', 'devpts', ['newinstance', 'ptmxmode=0666'])],
    linux: {
      namespaces: ['pid', 'mount', 'uts', 'ipc', 'network', 'user'].map((type) => ({ type })),
      uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
      gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['chown', 'lchown', 'fchown', 'fchownat'], action: 'SCMP_ACT_NOTIFY' }],
      },
    },
    annotations: { 'io.rootless.single-id': 'true' },
  };
}
