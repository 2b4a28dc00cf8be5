/** A real terminal around a command: Python holds the pty, this side types, resizes and reads. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

const driver = `
import base64, fcntl, json, os, pty, select, signal, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
def say(**message):
    sys.stdout.write(json.dumps(message) + '\\n'); sys.stdout.flush()
def size(rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
size(24, 80)
say(pid=pid)
pending = b''
while True:
    ready = select.select([fd, 0], [], [])[0]
    if fd in ready:
        try: chunk = os.read(fd, 65536)
        except OSError: chunk = b''
        if not chunk: break
        say(out=base64.b64encode(chunk).decode())
    if 0 in ready:
        chunk = os.read(0, 65536)
        # The test is over, or dead: closing the terminal hangs up on whatever still uses it.
        if not chunk: break
        pending += chunk
        while b'\\n' in pending:
            line, pending = pending.split(b'\\n', 1)
            order = json.loads(line)
            if 'type' in order: os.write(fd, order['type'].encode())
            if 'size' in order: size(*order['size'])
            if 'kill' in order: os.kill(pid, order['kill'])
            if 'modes' in order:
                flags = termios.tcgetattr(fd)[3]
                say(modes={'echo': bool(flags & termios.ECHO), 'canonical': bool(flags & termios.ICANON), 'signals': bool(flags & termios.ISIG)})
os.close(fd)
status = os.waitpid(pid, 0)[1]
say(code=os.waitstatus_to_exitcode(status))
`;

export type Modes = { readonly echo: boolean; readonly canonical: boolean; readonly signals: boolean };

type Message = { readonly pid?: number; readonly out?: string; readonly modes?: Modes; readonly code?: number };

/** One command on one terminal of 24 x 80. */
export class Terminal {
  /** Everything it has shown. */
  screen = '';
  /** Exit code, negative signal number if it was killed; set once it has ended. */
  readonly ended: Promise<number>;
  private readonly child: ChildProcess;
  private readonly waiting = new Set<() => void>();
  private started: number | undefined;
  private modesSeen: Modes | undefined;
  private over = false;

  constructor(argv: readonly string[], env: NodeJS.ProcessEnv) {
    this.child = spawn('python3', ['-c', driver, ...argv], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: this.child.stdout ?? process.stdin });
    this.ended = new Promise((resolve, reject) => {
      lines.on('line', (line) => {
        const message = JSON.parse(line) as Message;
        this.started ??= message.pid;
        this.modesSeen = message.modes ?? this.modesSeen;
        if (message.out !== undefined) this.screen += Buffer.from(message.out, 'base64').toString();
        if (message.code !== undefined) resolve(message.code);
        for (const wake of this.waiting) wake();
      });
      this.child.once('close', () => {
        this.over = true;
        reject(new Error(`the terminal ended early: ${this.screen}`));
        for (const wake of this.waiting) wake();
      });
    });
    this.ended.catch(() => undefined);
  }

  type(text: string): void {
    this.order({ type: text });
  }

  resize(rows: number, columns: number): void {
    this.order({ size: [rows, columns] });
  }

  /** Sends a signal to the command itself, not through the terminal. */
  kill(signal: number): void {
    this.order({ kill: signal });
  }

  /** How the terminal is set now. */
  async modes(): Promise<Modes> {
    this.modesSeen = undefined;
    this.order({ modes: true });
    await this.wait(() => this.modesSeen !== undefined, 'the terminal modes');
    return this.modesSeen ?? { echo: false, canonical: false, signals: false };
  }

  /** Resolves once the screen matches. */
  async shows(pattern: RegExp): Promise<void> {
    await this.wait(() => pattern.test(this.screen), String(pattern));
  }

  /** Types a line again and again until the screen matches: for what takes effect somewhere else, and says so to nobody. */
  async answers(line: string, pattern: RegExp): Promise<void> {
    while (!pattern.test(this.screen)) {
      const before = this.screen.length;
      this.type(line);
      await this.wait(() => this.screen.length > before + line.length, String(pattern));
      await pause(100);
    }
  }

  /** Pid of the command. */
  async pid(): Promise<number> {
    await this.wait(() => this.started !== undefined, 'the pid');
    return this.started ?? 0;
  }

  private order(message: object): void {
    this.child.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  private wait(done: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!done() && !this.over) return;
        this.waiting.delete(look);
        if (done()) resolve();
        else reject(new Error(`the terminal ended before it showed ${what}: ${JSON.stringify(this.screen)}`));
      };
      this.waiting.add(look);
      look();
    });
  }
}
