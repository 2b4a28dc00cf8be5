/** Shows what the image room tells while it downloads and unpacks. */

import type { Progress as Tell, ProgressEvent } from '../image/progress.ts';
import { openProgress } from './progress.ts';

/** `close` takes the bars away; call it before anything else is printed. */
export function imageProgress(quiet: boolean): { readonly tell: Tell; readonly close: () => void } {
  const progress = openProgress(quiet);
  const ended = new Set<string>();
  const tell = ({ kind, digest, done, total }: ProgressEvent) => {
    const label = digest.replace(/^\w+:/, '').slice(0, 12);
    const whole = done >= total;
    if (kind === 'unpack' && whole) {
      ended.add(digest);
      progress.finish(digest, label, 'ready');
    } else if (!ended.has(digest)) {
      progress.update(digest, { label, phase: kind === 'unpack' || whole ? 'unpacking' : 'downloading', done, total });
    }
  };
  return { tell, close: () => progress.close() };
}
