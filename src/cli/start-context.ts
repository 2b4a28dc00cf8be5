/** What surrounds a start that a command asks for. */

import type { Paths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import type { RunContext } from '../runtime/context.ts';
import { notice } from './notice.ts';

export function startContext(paths: Paths, env: NodeJS.ProcessEnv): RunContext {
  return { paths, searchPath: searchPath(env), pull: 'missing', notice, notifySocket: env['NOTIFY_SOCKET'] };
}
