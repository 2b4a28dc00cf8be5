/** Where the built product is, and as whom these tests run; set by scripts/test/live.mjs. */

import { join } from 'node:path';

export const checkout = process.env['ROOTLESS_CHECKOUT'] ?? process.cwd();
export const bin = join(checkout, 'bin/rootless');
export const dist = join(checkout, 'dist');
export const helper = join(dist, 'rootless-helper');

/** How ids are mapped in this run: a user with subordinate ids, one without, root, or whoever started the tests. */
export const mode = process.env['ROOTLESS_TEST_MODE'] ?? 'self';
export const uid = process.getuid?.() ?? 0;
export const gid = process.getgid?.() ?? 0;
