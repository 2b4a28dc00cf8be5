// Watches a test file that runs: a test past its limit loses all processes that it waits for, so that it fails and the next one begins.
import { describe, killAll, processesOf } from './hung.mjs';

/** Seconds that a file may take to end once its summary is out. */
const lastSeconds = 30;

/**
 * Reads what `live` says on stdout (`@begin SECONDS NAME`, `@end`) and uvu's summary.
 * `tell` gets what was found of a hung test; `end` ends the file itself, with the reason.
 */
export class Watch {
  #rest = '';
  #timer;
  #mark;
  #tell;
  #end;

  constructor(mark, tell, end) {
    this.#mark = mark;
    this.#tell = tell;
    this.#end = end;
  }

  hear(chunk) {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#line(line);
  }

  close() {
    clearTimeout(this.#timer);
  }

  #line(line) {
    // uvu's own signs may stand before it.
    const [, seconds, name] = /@begin (\d+) (.*)$/.exec(line) ?? [];
    const over = /^\s*Duration:/.test(line);
    if (name === undefined && !line.endsWith('@end') && !over) return;
    clearTimeout(this.#timer);
    if (name !== undefined) this.#timer = setTimeout(() => this.#late(name, seconds), Number(seconds) * 1000);
    if (over) this.#timer = setTimeout(() => this.#end(`did not end within ${lastSeconds} s after its tests`), lastSeconds * 1000);
  }

  /** The file itself, and whoever started it as another user, stay: there is a test to fail, and others to run. */
  #late(name, seconds) {
    const waited = processesOf(this.#mark).filter(({ command }) => !command.includes('.test.mjs'));
    this.#tell(`"${name}" is still running after ${seconds} s; its processes, which are killed now:\n${describe(waited) || '  none'}\n`);
    killAll(waited);
  }
}
