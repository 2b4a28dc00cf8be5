/** Questions on the terminal: a line, or a secret that is not shown while it is typed. */

import { openSync, readSync } from 'node:fs';
import { isatty, ReadStream } from 'node:tty';
import { RootlessError } from '../errors.ts';
import { warn } from './output.ts';

/** @throws RootlessError TTY_MISSING */
export function askLine(question: string): Promise<string> {
  return ask(question, true);
}

/** @throws RootlessError TTY_MISSING, INTERRUPTED */
export function askSecret(question: string): Promise<string> {
  return ask(question, false);
}

/** What comes on standard input, whole; more than a secret can be is refused. */
export function readInput(): string {
  const chunks: Buffer[] = [];
  let size = 0;
  for (;;) {
    const chunk = Buffer.alloc(4096);
    const got = readSync(0, chunk);
    if (got === 0) return Buffer.concat(chunks).toString('utf8');
    chunks.push(chunk.subarray(0, got));
    size += got;
    if (size > 1 << 20) throw new RootlessError({ code: 'PASSWORD_INVALID', message: 'what came on standard input is no password' });
  }
}

/** The keys of one line, in raw mode: nothing is echoed by the terminal, and what is shown is shown here. */
async function ask(question: string, shown: boolean): Promise<string> {
  if (!isatty(0)) throw noTerminal();
  const input = new ReadStream(openSync('/dev/tty', 'r'));
  const line = new Line(shown ? warn : () => undefined);
  warn(question);
  try {
    input.setRawMode(true);
    for await (const chunk of input as AsyncIterable<Buffer>) {
      for (const key of chunk.toString('utf8')) if (line.press(key)) return line.text;
    }
    throw interrupted();
  } finally {
    input.setRawMode(false);
    input.destroy();
    warn('\n');
  }
}

/** What has been typed so far. */
class Line {
  text = '';
  readonly #show: (text: string) => void;

  constructor(show: (text: string) => void) {
    this.#show = show;
  }

  /** True at the end of the line. @throws RootlessError INTERRUPTED */
  press(key: string): boolean {
    if (key === '\r' || key === '\n' || (key === '\x04' && this.text !== '')) return true;
    if (key === '\x03' || key === '\x04') throw interrupted();
    if (key === '\x7f' || key === '\b') this.#erase(1);
    else if (key === '\x15') this.#erase([...this.text].length);
    else if (key >= ' ') {
      this.text += key;
      this.#show(key);
    }
    return false;
  }

  #erase(count: number): void {
    const letters = [...this.text];
    const gone = Math.min(count, letters.length);
    this.#show('\b \b'.repeat(gone));
    this.text = letters.slice(0, letters.length - gone).join('');
  }
}

function interrupted(): RootlessError {
  return new RootlessError({ code: 'INTERRUPTED', message: 'interrupted', exit: 130 });
}

function noTerminal(): RootlessError {
  return new RootlessError({
    code: 'TTY_MISSING',
    message: 'cannot ask for a user name and password without a terminal',
    fix: 'echo "$PASSWORD" | rootless login --username USER --password-stdin REGISTRY',
  });
}
