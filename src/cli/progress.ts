/** Several lines redrawn in place on a terminal; one plain line at the start and end of each piece elsewhere. */

import { isatty } from 'node:tty';
import { size } from './format.ts';
import { warn } from './output.ts';
import { cut } from './text.ts';
import { line as say } from './ui.ts';

/** One piece of work, for example a layer. `total` 0 = not known. */
export type Piece = { readonly label: string; readonly phase: string; readonly done: number; readonly total: number };

export type Progress = {
  /** Adds the piece or moves it on. */
  update(id: string, piece: Piece): void;
  /** The last word on a piece. */
  finish(id: string, label: string, phase: string): void;
  /** Takes the bars off the terminal. */
  close(): void;
};

/** With `keep` what has ended stays as a line each. */
export function openProgress(keep = false): Progress {
  return isatty(2) && process.env['TERM'] !== 'dumb' ? bars(keep) : lines();
}

/** For logs: what was started and what is done, never a percentage. */
function lines(): Progress {
  const phases = new Map<string, string>();
  const tell = (id: string, label: string, phase: string) => {
    if (phases.get(id) === phase) return;
    phases.set(id, phase);
    say(`${label}: ${phase}`);
  };
  return {
    update: (id, { label, phase }) => tell(id, label, phase),
    finish: tell,
    close: () => undefined,
  };
}

/** At most ten pictures a second. */
const interval = 100;

function bars(keep: boolean): Progress {
  const pieces = new Map<string, Piece & { readonly ended?: true }>();
  /** Width of each line on the screen now: a narrower window folds them, and then they are more rows than lines. */
  let shown: number[] = [];
  let last = 0;
  let timer: NodeJS.Timeout | undefined;
  const draw = () => {
    timer = undefined;
    last = performance.now();
    const { columns, rows } = windowSize();
    const picture = layout([...pieces.values()], columns, rows);
    warn(erase(shown, columns) + picture.map((text) => `${text}\n`).join(''));
    shown = picture.map((text) => text.length);
  };
  const soon = () => {
    timer ??= setTimeout(draw, Math.max(0, last + interval - performance.now())).unref();
  };
  return {
    update(id, piece) {
      pieces.set(id, piece);
      soon();
    },
    finish(id, label, phase) {
      const { done = 0, total = 0 } = pieces.get(id) ?? {};
      pieces.set(id, { label, phase, done, total, ended: true });
      soon();
    },
    close() {
      clearTimeout(timer);
      warn(erase(shown, windowSize().columns));
      shown = [];
      if (keep) for (const { label, phase, ended } of pieces.values()) if (ended) say(`${label}: ${phase}`);
      pieces.clear();
    },
  };
}

/** Moves to where the picture began and clears from there. */
function erase(widths: readonly number[], columns: number): string {
  const rows = widths.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
  return rows === 0 ? '' : `\x1b[${rows}A\r\x1b[J`;
}

/** What fits: ended pieces give way first. */
export function layout(pieces: readonly (Piece & { readonly ended?: true })[], columns: number, rows: number): string[] {
  const room = Math.max(1, rows - 2);
  const running = pieces.filter((piece) => !piece.ended);
  const chosen = pieces.length <= room ? pieces : running.slice(0, room - 1);
  const width = Math.min(24, Math.max(...chosen.map(({ label }) => label.length), 0));
  const picture = chosen.map((piece) => bar(piece, width, columns - 1));
  return chosen.length === pieces.length ? picture : [...picture, cut(`… ${pieces.length - chosen.length} more`, columns - 1)];
}

function bar(piece: Piece, labelWidth: number, columns: number): string {
  const head = `${cut(piece.label, labelWidth).padEnd(labelWidth)}  ${piece.phase.padEnd(11)}`;
  if (piece.total <= 0) return cut(piece.done > 0 ? `${head}  ${size(piece.done)}` : head, columns);
  const share = Math.min(1, piece.done / piece.total);
  const tail = `${size(Math.min(piece.done, piece.total))} / ${size(piece.total)}`.padStart(19);
  const width = Math.min(40, columns - head.length - tail.length - 5);
  if (width < 8) return cut(`${head}  ${Math.floor(share * 100)}%`, columns);
  const full = Math.round(share * width);
  return `${head}  [${'='.repeat(full)}${' '.repeat(width - full)}] ${tail}`;
}

/** Asked each time, so that a resized window is drawn rightly. */
function windowSize(): { columns: number; rows: number } {
  const [columns = 80, rows = 24] = process.stderr.getWindowSize?.() ?? [];
  return { columns: Math.max(20, columns), rows: Math.max(4, rows) };
}
