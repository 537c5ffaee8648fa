import { Command, Argument } from "commander";
import { print } from "./output.ts";

/** `nacre completion SHELL`: a script for the shell, made from the commands themselves. */
export function completion(program: Command): Command {
  return new Command("completion")
    .description("print a completion script for a shell")
    .addArgument(new Argument("<shell>", "for which shell").choices(["bash", "zsh", "fish"]))
    .addHelpText(
      "after",
      "\nExamples:\n  $ source <(nacre completion bash)\n  $ nacre completion fish | source",
    )
    .action((shell: "bash" | "zsh" | "fish") => print(script(shell, program)));
}

function script(shell: "bash" | "zsh" | "fish", program: Command): string {
  const commands = program.commands.map((command) => ({
    name: command.name(),
    description: command.description().replaceAll("'", ""),
    words: [
      ...command.options.flatMap((option) => option.long ?? []),
      ...command.commands.map((sub) => sub.name()),
    ],
  }));
  if (shell === "fish")
    return commands
      .flatMap(({ name, description, words }) => [
        `complete -c nacre -n __fish_use_subcommand -f -a ${name} -d '${description}'`,
        ...words.map((word) =>
          word.startsWith("--")
            ? `complete -c nacre -n '__fish_seen_subcommand_from ${name}' -l ${word.slice(2)}`
            : `complete -c nacre -n '__fish_seen_subcommand_from ${name}' -f -a ${word}`,
        ),
      ])
      .join("\n");
  const cases = commands.map(({ name, words }) => `    ${name}) words="${words.join(" ")}";;`).join("\n");
  const bash = `_nacre() {
  local words current="\${COMP_WORDS[COMP_CWORD]}"
  case "\${COMP_CWORD}:\${COMP_WORDS[1]}" in 1:*) words="${commands.map(({ name }) => name).join(" ")}";; *) case "\${COMP_WORDS[1]}" in
${cases}
  esac;; esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _nacre nacre`;
  return shell === "bash" ? bash : `autoload -U +X bashcompinit && bashcompinit\n${bash}`;
}
