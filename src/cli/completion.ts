/** `rootless completion bash|zsh|fish`: scripts made from the command table, so that they know every flag there is. */

import { RootlessError } from '../errors.ts';
import { bashScript } from './completion-bash.ts';
import { fishScript } from './completion-fish.ts';
import { readTree } from './completion-tree.ts';
import { zshScript } from './completion-zsh.ts';
import { command } from './command.ts';
import { print } from './output.ts';

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

export default command({
  name: 'completion',
  flags: {},
  words: { usage: 'bash|zsh|fish', min: 1, max: 1, complete: Object.keys(scripts) },
  examples: ['source <(rootless completion bash)', 'rootless completion fish > ~/.config/fish/completions/rootless.fish'],
  run: async ({ args }) => {
    const shell = args[0];
    if (shell !== 'bash' && shell !== 'zsh' && shell !== 'fish') {
      throw new RootlessError({
        code: 'SHELL_UNKNOWN',
        message: `no completion for "${shell}"`,
        fix: 'rootless completion bash, zsh or fish',
      });
    }
    print(scripts[shell](await readTree()));
    return 0;
  },
});
