/** One line that is not an error, without loading more than it needs: some hosts get one at every run. */

import { warn } from './output.ts';
import { paint, plain } from './paint.ts';

export function notice(text: string): void {
  warn(`${paint('yellow', 'rootless:')} ${plain(text)}\n`);
}
