/** The bash script: plain bash 4, no bash-completion package. */

import type { Tree, TreeCommand } from './completion-tree.ts';

export function bashScript(tree: Tree): string {
  const top = [...tree.commands.filter(({ path }) => !path.includes(' ')).map(({ path }) => path), ...tree.families];
  return `# bash completion of rootless; made by "rootless completion bash"

__rootless_flags() {
  case $1 in
${tree.commands.map((command) => `    ${quote(command.path)}) echo ${quote(flagWords(command))} ;;`).join('\n')}
    *) echo '--help --version --debug' ;;
  esac
}

__rootless_takes_value() {
  case $1 in
${tree.commands.map((command) => `    ${quote(command.path)}) case $2 in ${valueWords(command)}) return 0 ;; esac ;;`).join('\n')}
  esac
  return 1
}

__rootless_values() {
  case "$1 $2" in
${tree.commands.flatMap(valueCases).join('\n')}
  esac
}

__rootless_words() {
  case $1 in
${tree.commands.map((command) => `    ${quote(command.path)}) ${wordAction(command)} ;;`).join('\n')}
${tree.families.map((family) => `    ${quote(family)}) echo ${quote(membersOf(tree, family).join(' '))} ;;`).join('\n')}
    '') echo ${quote(top.join(' '))} ;;
  esac
}

_rootless() {
  local line=\${COMP_LINE:0:COMP_POINT} words current previous='' command='' count=0 stopped='' i word
  # Bash splits words at colons too; image names have them, so the line is split again at blanks only.
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  current=\${words[\${#words[@]}-1]}
  for ((i = 1; i < \${#words[@]} - 1; i++)); do
    word=\${words[i]}
    if [[ -n $previous ]]; then
      previous=''
    elif [[ $word == -?* ]]; then
      __rootless_takes_value "$command" "$word" && previous=$word
    elif [[ -z $command ]]; then
      command=$word
    elif [[ ' ${tree.families.join(' ')} ' == *" $command "* ]]; then
      command="$command $word"
    else
      count=$((count + 1))
      case $command in ${stopping(tree)}) stopped=1; break ;; esac
    fi
  done
  COMPREPLY=()
  local prefix=''
  if [[ -n $stopped ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  elif [[ -n $previous ]]; then
    local values
    values=$(__rootless_values "$command" "$previous")
    if [[ $values == '<file>' ]]; then
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
    else
      mapfile -t COMPREPLY < <(compgen -W "$values" -- "$current")
    fi
  elif [[ $current == --*=* ]]; then
    prefix=\${current%%=*}=
    mapfile -t COMPREPLY < <(compgen -W "$(__rootless_values "$command" "\${current%%=*}")" -- "\${current#*=}")
    [[ $COMP_WORDBREAKS == *=* ]] || COMPREPLY=("\${COMPREPLY[@]/#/$prefix}")
  elif [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(__rootless_flags "$command")" -- "$current")
  else
    local names
    names=$(__rootless_words "$command" "$count")
    if [[ $names == '<file>' ]]; then
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
    else
      mapfile -t COMPREPLY < <(compgen -W "$names" -- "$current")
    fi
  fi
  # What bash already took as an earlier word must not come twice.
  if [[ $current == *:* && $COMP_WORDBREAKS == *:* ]]; then
    local before=\${current%"\${current##*:}"}
    COMPREPLY=("\${COMPREPLY[@]#"$before"}")
  fi
}

complete -o filenames -o nosort -F _rootless rootless 2>/dev/null || complete -o filenames -F _rootless rootless
`;
}

function flagWords(command: TreeCommand): string {
  return command.flags.flatMap(({ words }) => words).join(' ');
}

/** A case pattern; a command without such flags gets one that matches nothing. */
function valueWords(command: TreeCommand): string {
  const words = command.flags.filter(({ takesValue }) => takesValue).flatMap((flag) => flag.words);
  return words.length === 0 ? "''" : words.join('|');
}

function valueCases(command: TreeCommand): string[] {
  return command.flags.flatMap(({ words, choices, complete, file }) => {
    const answer = file ? '<file>' : choices.join(' ');
    const names = complete === undefined ? '' : `; "\${COMP_WORDS[0]}" __complete ${complete}s 2>/dev/null`;
    return answer === ''
      ? []
      : [`    ${words.map((word) => quote(`${command.path} ${word}`)).join('|')}) echo ${quote(answer)}${names} ;;`];
  });
}

function wordAction({ complete, stop }: TreeCommand): string {
  if (complete === 'file') return "echo '<file>'";
  if (typeof complete === 'string') {
    const names = `"\${COMP_WORDS[0]}" __complete ${complete}s 2>/dev/null`;
    return stop ? `[[ $2 == 0 ]] && ${names}` : names;
  }
  return complete === undefined ? ':' : `echo ${quote(complete.join(' '))}`;
}

function membersOf(tree: Tree, family: string): string[] {
  return tree.commands.filter(({ path }) => path.startsWith(`${family} `)).map(({ path }) => path.slice(family.length + 1));
}

function stopping(tree: Tree): string {
  return tree.commands
    .filter(({ stop }) => stop)
    .map(({ path }) => quote(path))
    .join('|');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
