/** The zsh script: one _arguments call a command. */

import type { Tree, TreeCommand, TreeFlag } from './completion-tree.ts';

export function zshScript(tree: Tree): string {
  const tops = tree.commands.filter(({ path }) => !path.includes(' '));
  return `#compdef rootless
# zsh completion of rootless; made by "rootless completion zsh"

__rootless_images() { local -a names; names=(\${(f)"$(rootless __complete images 2>/dev/null)"}); compadd -a names }
__rootless_containers() { local -a names; names=(\${(f)"$(rootless __complete containers 2>/dev/null)"}); compadd -a names }
__rootless_networks() { local -a names; names=(\${(f)"$(rootless __complete networks 2>/dev/null)"}); compadd -a names }
__rootless_volumes() { local -a names; names=(\${(f)"$(rootless __complete volumes 2>/dev/null)"}); compadd -a names }

_rootless() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  _arguments -C '(-h --help)'{-h,--help}'[show help]' '(-v --version)'{-v,--version}'[show the version]' \\
    '--debug[print stacks and what is started]' '1:command:->command' '*::word:->words' && return
  case $state in
    command)
      local -a names
      names=(
${tops.map(({ path, summary }) => `        ${quote(`${path}:${summary}`)}`).join('\n')}
${tree.families.map((family) => `        ${quote(`${family}:commands of docker's "${family}"`)}`).join('\n')}
      )
      _describe command names ;;
    words)
      case $line[1] in
${tops.map((command) => `        ${command.path}) ${callName(command)} ;;`).join('\n')}
${tree.families.map((family) => `        ${family}) __rootless_family_${family} ;;`).join('\n')}
      esac ;;
  esac
}

${tree.families.map((family) => familyFunction(tree, family)).join('\n')}
${tree.commands
  .filter(({ path, name }) => path === name)
  .map(commandFunction)
  .join('\n')}
if [[ $funcstack[1] == _rootless ]]; then _rootless "$@"; else compdef _rootless rootless; fi
`;
}

function callName({ name }: TreeCommand): string {
  return `__rootless_command_${name.replaceAll(' ', '_')}`;
}

function familyFunction(tree: Tree, family: string): string {
  const members = tree.commands.filter(({ path }) => path.startsWith(`${family} `));
  const word = ({ path }: TreeCommand) => path.slice(family.length + 1);
  return `__rootless_family_${family}() {
  local curcontext="$curcontext" state line
  _arguments -C '1:command:(${members.map(word).join(' ')})' '*::word:->words' && return
  case $line[1] in
${members.map((member) => `    ${word(member)}) ${callName(member)} ;;`).join('\n')}
  esac
}
`;
}

function commandFunction(command: TreeCommand): string {
  const lines = [...command.flags.map(flagSpec), ...wordSpecs(command)].map((spec) => `    ${spec}`);
  return `${callName(command)}() {
  _arguments -s -S \\
${lines.join(' \\\n')}
}
`;
}

function flagSpec({ words, takesValue, repeat, choices, complete, file, description }: TreeFlag): string {
  const text = `[${description.replace(/[[\]\\:]/g, '\\$&')}]`;
  const offered = choices.length > 0 ? `(${choices.map((choice) => choice.replace(/:/g, '\\:')).join(' ')})` : '';
  const action = file ? '_files' : complete === undefined ? offered : `{compadd ${choices.join(' ')}; __rootless_${complete}s}`;
  const value = takesValue ? `:value:${action}` : '';
  const names = words.map((word) => (takesValue ? `${word}${word.startsWith('--') ? '=' : '+'}` : word));
  const head = repeat ? `'*'` : quote(`(${words.join(' ')})`);
  const list = names.length === 1 ? quote(names[0] as string) : `{${names.join(',')}}`;
  return `${head}${list}${quote(text + value)}`;
}

function wordSpecs({ complete, stop }: TreeCommand): string[] {
  const action = typeof complete === 'string' ? (complete === 'file' ? '_files' : `__rootless_${complete}s`) : undefined;
  if (complete === undefined) return [];
  if (action === undefined) return [quote(`1:word:(${(complete as readonly string[]).join(' ')})`)];
  return stop ? [quote(`1:word:${action}`), "'*::command: _normal'"] : [quote(`*:word:${action}`)];
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
