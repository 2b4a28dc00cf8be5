/** The fish script. */

import type { Tree, TreeCommand, TreeFlag } from './completion-tree.ts';

export function fishScript(tree: Tree): string {
  const tops = tree.commands.filter(({ path }) => !path.includes(' '));
  const names = [...tops.map(({ path }) => path), ...tree.families].join(' ');
  return `# fish completion of rootless; made by "rootless completion fish"

function __rootless_is --description 'the command line is that of this command'
    set -l typed (commandline -opc | string match --invert -- '-*')
    for position in (seq (count $argv))
        set -l word $typed[(math $position + 1)]
        test "$word" = $argv[$position]; or return 1
    end
end

function __rootless_none --description 'no command yet'
    not __fish_seen_subcommand_from ${names}
end

complete -c rootless -f
complete -c rootless -n __rootless_none -s v -l version -d 'show the version'
complete -c rootless -n __rootless_none -s h -l help -d 'show help'
complete -c rootless -n __rootless_none -l debug -d 'print stacks and what is started'
${tops.map(({ path, summary }) => `complete -c rootless -n __rootless_none -a ${path} -d ${quote(summary)}`).join('\n')}
${tree.families.map((family) => familyLines(tree, family)).join('\n')}
${tree.commands.map(commandLines).join('\n')}
`;
}

function familyLines(tree: Tree, family: string): string {
  const members = tree.commands.filter(({ path }) => path.startsWith(`${family} `));
  return [
    `complete -c rootless -n __rootless_none -a ${family}`,
    ...members.map(
      ({ path, summary }) => `complete -c rootless -n '__rootless_is ${family}' -a ${path.slice(family.length + 1)} -d ${quote(summary)}`,
    ),
  ].join('\n');
}

function commandLines(command: TreeCommand): string {
  const start = `complete -c rootless -n '__rootless_is ${command.path}'`;
  return [...command.flags.map((flag) => `${start} ${flagWords(flag)}`), ...wordLines(command, start)].join('\n');
}

function flagWords({ name, letter, takesValue, choices, complete, file, description }: TreeFlag): string {
  return [
    `-l ${name}`,
    ...(letter === undefined ? [] : [`-s ${letter}`]),
    ...(takesValue ? [file ? '-r -F' : '-x'] : []),
    ...(choices.length === 0 ? [] : [`-a ${quote(choices.join(' '))}`]),
    ...(complete === undefined ? [] : [`-a '(rootless __complete ${complete}s 2>/dev/null)'`]),
    `-d ${quote(description)}`,
  ].join(' ');
}

function wordLines({ complete }: TreeCommand, start: string): string[] {
  if (complete === undefined) return [];
  if (complete === 'file') return [`${start} -F`];
  if (typeof complete === 'string') return [`${start} -a '(rootless __complete ${complete}s 2>/dev/null)'`];
  return [`${start} -a ${quote(complete.join(' '))}`];
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
