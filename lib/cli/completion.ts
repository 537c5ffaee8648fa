import { Argument, Command, type Option } from "commander";
import { print } from "./output.ts";

type Shell = "bash" | "zsh" | "fish";

/** `nacre completion SHELL`: a script for the shell, made from the commands themselves. */
export function completion(program: Command): Command {
  return new Command("completion")
    .description("print a completion script for a shell")
    .addArgument(new Argument("<shell>", "for which shell").choices(["bash", "zsh", "fish"]))
    .addHelpText(
      "after",
      "\nExamples:\n  $ source <(nacre completion bash)\n  $ nacre completion fish | source",
    )
    .action((shell: Shell) => print(script(shell, program)));
}

/** One command with the names that lead to it: none for `nacre` itself. */
interface Place {
  readonly path: readonly string[];
  readonly command: Command;
}

const placesOf = (command: Command, path: readonly string[] = []): Place[] => [
  { path, command },
  ...command.commands.flatMap((inner) => placesOf(inner, [...path, inner.name()])),
];

/** What may stand there as a word of its own: a command, or one of an argument's choices. */
const wordsOf = (command: Command): string[] => [
  ...command.commands.map((inner) => inner.name()),
  ...command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
];

function script(shell: Shell, program: Command): string {
  const places = placesOf(program);
  if (shell === "fish") return places.flatMap(fish).join("\n");
  return shell === "bash" ? bash(places) : `autoload -U +X bashcompinit && bashcompinit\n${bash(places)}`;
}

/** Where nothing is offered, the shell offers files. */
function bash(places: readonly Place[]): string {
  const at = ({ path }: Place): string => path.map((name) => `/${name}`).join("");
  const words = places.map((place) => {
    const options = place.command.options.flatMap(({ long }) => long ?? []);
    return `    "${at(place)}") offered="${[...wordsOf(place.command), ...options].join(" ")}";;`;
  });
  const values = places.flatMap((place) =>
    place.command.options.filter(takesValue).map((option) => {
      const names = [option.long, option.short].flatMap((name) => name ?? []);
      const offered = option.long === "--stack" ? stacks : (option.argChoices ?? []).join(" ");
      return `    ${names.map((name) => `"${at(place)} ${name}"`).join("|")}) offered="${offered}";;`;
    }),
  );
  const inner = places.slice(1).map((place) => `"${at(place)}"`);
  return `_nacre() {
  local word at="" offered="" current="\${COMP_WORDS[COMP_CWORD]}"
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$at/$word" in ${inner.join("|")}) at="$at/$word";; esac
  done
  case "$at" in
${words.join("\n")}
  esac
  case "$at \${COMP_WORDS[COMP_CWORD-1]}" in
${values.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$offered" -- "$current"))
}
_nacre_stacks() {
  local folder="$(sed -n 's/^stackConfigDir: *//p' Pulumi.yaml 2>/dev/null)"
  ls "\${folder:-.}" 2>/dev/null | sed -n 's/^Pulumi\\.\\(..*\\)\\.yaml$/\\1/p'
}
complete -o default -F _nacre nacre`;
}

const stacks = "$(_nacre_stacks)";
const takesValue = ({ required, optional }: Option): boolean => required || optional;

function fish({ path, command }: Place): string[] {
  const where =
    path.length === 0
      ? "__fish_use_subcommand"
      : path.map((name) => `__fish_seen_subcommand_from ${name}`).join("; and ");
  const line = (rest: string): string => `complete -c nacre -n '${where}' ${rest}`;
  return [
    ...wordsOf(command).map((word) => {
      const description = command.commands.find((inner) => inner.name() === word)?.description() ?? "";
      return line(`-f -a ${word} -d '${description.replaceAll(/[\\']/g, "\\$&")}'`);
    }),
    ...command.options.flatMap(({ long, argChoices }) => {
      if (long === undefined) return [];
      return line(`-l ${long.slice(2)}${argChoices === undefined ? "" : ` -x -a '${argChoices.join(" ")}'`}`);
    }),
  ];
}
