/** `rootless import`: an image from a tar of a root filesystem. */

import { importImage } from '../image/import.ts';
import { parsePlatform } from '../image/platform.ts';
import { findPaths } from '../paths.ts';
import { applyChanges } from '../runtime/change.ts';
import { command } from './command.ts';
import { tellImage } from './image-events.ts';
import { interruptible } from './interrupt.ts';
import { print } from './output.ts';
import { parseChange, parseEpoch } from './values/change.ts';

export default command({
  name: 'import',
  flags: {
    change: {
      type: 'string',
      alias: 'c',
      valueHint: 'INSTRUCTION',
      repeat: true,
      parse: parseChange,
      description: 'CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR of a Dockerfile',
    },
    message: { type: 'string', alias: 'm', valueHint: 'TEXT', description: 'kept in the history of the image' },
    quiet: { type: 'boolean', alias: 'q', description: 'print the id alone; nothing else is printed anyway' },
    platform: { type: 'string', valueHint: 'PLATFORM', parse: parsePlatform, description: 'what it is made for: OS/ARCH[/VARIANT]' },
  },
  words: { usage: 'FILE|URL|- [REPOSITORY[:TAG]]', min: 1, max: 2, complete: 'file' },
  examples: ['rootless import rootfs.tar.xz debian:mine', 'tar -c . | rootless import -c \'CMD ["/app"]\' - app'],
  run: async ({ flags, args: [from = '', name], env }) => {
    const paths = findPaths(env);
    const epoch = parseEpoch(env['SOURCE_DATE_EPOCH']) ?? Date.now() / 1000;
    const id = await interruptible((signal) =>
      importImage(paths, from, {
        name,
        config: applyChanges({}, flags.change),
        message: flags.message,
        platform: flags.platform,
        created: new Date(epoch * 1000).toISOString(),
        signal,
      }),
    );
    tellImage(paths, 'import', id, name);
    print(`${id}\n`);
    return 0;
  },
});
