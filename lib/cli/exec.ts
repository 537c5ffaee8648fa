import { Command } from "commander";
import { contextOf, sandboxId, type StackOption } from "./context.ts";

interface ExecOptions extends StackOption {
  readonly tty?: boolean;
  readonly cwd?: string;
}

const separated = "(options of the command come after --: nacre exec SANDBOX -- ls -l)\n";

/** `nacre exec SANDBOX -- COMMAND`: one command behind the agent's own walls. Its exit code is the command's. */
export function exec(): Command {
  return new Command("exec")
    .description("run a command inside, behind the same walls as the agent")
    .argument("<sandbox>")
    .argument("<command...>", "after --")
    .option("-s, --stack <name>", "the environment")
    .option("-t, --tty", "with a terminal of its own")
    .option("--cwd <path>", "where inside")
    .configureOutput({
      outputError: (text, write) => {
        write(text.startsWith("error: unknown option") ? `${text}${separated}` : text);
      },
    })
    .addHelpText(
      "after",
      "\nThe exit code is the command's; 125 when it could not be run at all.\n\nExamples:\n  $ nacre exec assistant -- ls -l /sandbox\n  $ nacre exec -t assistant -- bash",
    )
    .action(async (name: string, command: string[], options: ExecOptions) => {
      process.exitCode = await enter(name, command, { ...options, tty: options.tty === true });
    });
}

/** `nacre shell SANDBOX`: an interactive shell inside, in a terminal that belongs to the sandbox. */
export function shell(): Command {
  return new Command("shell")
    .description("open a shell inside, behind the same walls as the agent")
    .argument("<sandbox>")
    .option("-s, --stack <name>", "the environment")
    .addHelpText("after", "\nExample:\n  $ nacre shell assistant")
    .action(async (name: string, options: StackOption) => {
      process.exitCode = await enter(name, ["/bin/bash", "-i"], { ...options, tty: true });
    });
}

async function enter(
  name: string,
  argv: readonly string[],
  options: StackOption & { readonly tty: boolean; readonly cwd?: string },
): Promise<number> {
  const { connect } = await import("./daemon.ts");
  const { execInside } = await import("./exec-inside.ts");
  const daemon = await connect();
  const entry = await daemon.call("sandbox.entry", { id: sandboxId(contextOf(options), name) });
  return execInside({ ...entry, cwd: options.cwd ?? entry.cwd }, argv, options.tty);
}
