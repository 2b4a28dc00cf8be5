/** `rootless pull`: fetches an image and unpacks its layers. */

import { parsePlatform } from '../image/platform.ts';
import { parseImageSource } from '../image/reference.ts';
import { pull } from '../image/transfer.ts';
import { RootlessError } from '../errors.ts';
import { findPaths } from '../paths.ts';
import { searchPath } from '../programs.ts';
import { chooseMapping } from '../userns/choose.ts';
import { readHost } from '../userns/host.ts';
import { command } from './command.ts';
import { imageProgress } from './image-progress.ts';
import { interruptible } from './interrupt.ts';
import { print } from './output.ts';
import { line } from './ui.ts';

export default command({
  name: 'pull',
  flags: {
    quiet: { type: 'boolean', alias: 'q', description: 'show no progress' },
    platform: {
      type: 'string',
      valueHint: 'PLATFORM',
      parse: parsePlatform,
      choices: ['linux/amd64', 'linux/arm64'],
      description: 'OS/ARCH[/VARIANT] to take of it',
    },
    'tls-verify': { type: 'boolean', default: true, description: 'check certificates; =false allows http too' },
  },
  words: { usage: 'IMAGE', min: 1, max: 1, complete: 'image' },
  examples: ['rootless pull debian:bookworm-slim', 'rootless pull --platform linux/arm64 localhost:5000/app'],
  run: async ({ flags, args, given, env }) => {
    const source = parseImageSource(args[0] ?? '');
    if (source.kind !== 'registry') {
      throw new RootlessError({
        code: 'REFERENCE_INVALID',
        message: `cannot pull "${args[0]}": it is not in a registry`,
        fix: `rootless run ${args[0]} uses it where it is`,
      });
    }
    const { tell, close } = imageProgress(flags.quiet);
    try {
      const image = await interruptible((signal) =>
        pull(source, {
          paths: findPaths(env),
          platform: flags.platform,
          tlsVerify: given.has('tls-verify') ? flags['tls-verify'] : undefined,
          mapping: chooseMapping({ kind: 'host' }, readHost(searchPath(env))),
          progress: tell,
          signal,
        }),
      );
      close();
      if (!flags.quiet) line(`digest: ${image.source}`);
      print(`${image.name}\n`);
      return 0;
    } finally {
      close();
    }
  },
});
