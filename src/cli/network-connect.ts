/** `rootless network connect`: puts a container on a network. */

import { findPaths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { connect } from '../runtime/network-connect.ts';
import { findOwn } from '../runtime/network-store.ts';
import { findContainer } from '../runtime/state.ts';
import { command } from './command.ts';
import { parseAlias, parseInterface, parseIp4, parseIp6, parseMac } from './values/network.ts';

export default command({
  name: 'network connect',
  flags: {
    alias: {
      type: 'string',
      valueHint: 'NAME',
      repeat: true,
      parse: parseAlias,
      description: 'one more name that others on it find it by',
    },
    ip: { type: 'string', valueHint: 'IP', parse: parseIp4, description: 'its IPv4 address there' },
    ip6: { type: 'string', valueHint: 'IP', parse: parseIp6, description: 'its IPv6 address there' },
    'mac-address': { type: 'string', valueHint: 'MAC', parse: parseMac, description: 'its hardware address there' },
    'interface-name': {
      type: 'string',
      valueHint: 'NAME',
      parse: parseInterface,
      description: 'name of its interface (default: the next eth)',
    },
  },
  words: { usage: 'NETWORK CONTAINER', min: 2, max: 2, complete: 'network' },
  examples: ['rootless network connect front web', 'rootless network connect --alias db --ip 10.89.0.9 back postgres'],
  run: async ({ flags, args: [network = '', container = ''], env }) => {
    const paths = findPaths(env);
    const asked = {
      aliases: flags.alias,
      ip: flags.ip,
      ip6: flags.ip6,
      mac: flags['mac-address'],
      interface: flags['interface-name'],
    };
    await connect(paths, findOwn(paths, network), findContainer(paths, container), asked, { searchPath: searchPath(env) });
    return 0;
  },
});
