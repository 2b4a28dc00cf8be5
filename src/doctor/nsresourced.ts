/** systemd-nsresourced, which lends ids to user namespaces of people without a range of their own: asked over varlink. */

import { type Check, type Finding, off, ok } from './finding.ts';
import type { Machine } from './machine.ts';

const socket = '/run/systemd/io.systemd.NamespaceResource';
/** Why it is told and not used (docs/ids.md). */
const unused = 'not used: what such ids own may stay on no disk, so an image would have to be unpacked into memory at each start';

export const nsresourcedCheck: Check = { id: 'nsresourced', section: 'ids', title: 'ids that systemd lends', look: lent };

async function lent({ varlink, read, mapping }: Machine): Promise<Finding> {
  const answer = await varlink(socket, 'org.varlink.service.GetInfo');
  if (answer === undefined) return off('systemd-nsresourced does not answer here');
  const { product = 'systemd', version = 'of unknown version', interfaces = [] } = answer.parameters ?? {};
  const name = `${String(product).replace(/ .*/, '')} ${String(version).replace(/ .*/, '')}`;
  if (answer.error !== undefined) return off(`${name} refuses: ${answer.error}`);
  if (!Array.isArray(interfaces) || !interfaces.includes('io.systemd.NamespaceResource')) return off(`${name} answers, and lends no ids`);
  if (mapping.mode !== 'single') return off(`${name} answers; not needed, since you have ids of your own`);
  const modules = read('/sys/kernel/security/lsm').trim();
  if (modules !== '' && !modules.split(',').includes('bpf'))
    return off(`${name} answers, and can lend none: the kernel was started without "bpf" among its security modules (${modules})`);
  return ok(`${name} would lend 65536; ${unused}`);
}
