/** Shows what the image room tells while it downloads and unpacks; loads nothing until it tells something. */

import type { Progress as Tell, ProgressEvent } from '../image/progress.ts';
import { isTerminal } from '../tty.ts';
import type { Progress } from './progress.ts';

export type ImageProgress = {
  readonly tell: Tell;
  /** Takes the bars away: call it before anything else may print. Later events are not shown. */
  readonly close: () => void;
};

/** With `keep` the last word on each piece stays on the screen, as docker's push leaves it. */
export function imageProgress(quiet: boolean, keep?: 'keep'): ImageProgress {
  const waiting: ProgressEvent[] = [];
  let progress: Progress | undefined;
  let loading = false;
  let closed = quiet;
  const isNews = newsFor(isTerminal(2));
  const load = async () => {
    const { openProgress } = await import('./progress.ts');
    if (closed) return;
    progress = openProgress(keep === 'keep');
    for (const event of waiting.splice(0)) show(progress, event);
  };
  return {
    tell: (event) => {
      if (closed || !isNews(event)) return;
      if (progress !== undefined) return show(progress, event);
      waiting.push(event);
      if (!loading) void load();
      loading = true;
    },
    close: () => {
      closed = true;
      progress?.close();
    },
  };
}

/** A log is told nothing while only what the store has is unpacked: the container's own output follows there. */
export function newsFor(terminal: boolean): (event: Pick<ProgressEvent, 'kind'>) => boolean {
  let news = terminal;
  return ({ kind }) => {
    news ||= kind !== 'unpack';
    return news;
  };
}

const phases = { download: 'downloading', copy: 'copying', unpack: 'unpacking', compress: 'compressing', upload: 'pushing' } as const;

const ended: Readonly<Record<string, string>> = { download: 'fetched', copy: 'copied' };

function show(progress: Progress, { kind, digest, done, total, note }: ProgressEvent): void {
  const label = digest.replace(/^\w+:/, '').slice(0, 12);
  const whole = done >= total;
  if (note !== undefined) progress.finish(digest, label, note);
  else if (kind === 'unpack' && whole) progress.finish(digest, label, 'ready');
  else progress.update(digest, { label, phase: (whole ? ended[kind] : undefined) ?? phases[kind], done, total });
}
