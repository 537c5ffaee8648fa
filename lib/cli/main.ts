import { Command, CommanderError } from "commander";
import { NacreError } from "../error.ts";
import { version } from "../version.ts";
import { endWithReaders, explain, note, printJson } from "./output.ts";
import { commands } from "./commands.ts";

/** `nacre`. Exit codes: 0 done, 1 failed, 2 bad use, 3 drift or a widened capability found, or `up` would be refused, 124 wait timed out. */
const program = new Command("nacre")
  .description("Infrastructure as code for always-on AI agents in hardened sandboxes.")
  .version(version)
  .showHelpAfterError("(nacre COMMAND --help shows examples)")
  .exitOverride();

for (const command of commands(program)) program.addCommand(adopt(command, "nacre"));

/** Sub-commands must throw too, where commander would end the process by itself. */
function adopt(command: Command, parent: string): Command {
  const name = `${parent} ${command.name()}`;
  command.exitOverride().showHelpAfterError(`(${name} --help shows examples)`);
  for (const inner of command.commands) adopt(inner, name);
  return command;
}

endWithReaders();
try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (process.argv.includes("--json"))
    printJson({ error: NacreError.isInstance(error) ? error : { code: "internal", message: String(error) } });
  else note(explain(error));
  if (!NacreError.isInstance(error)) return 1;
  return error.code === "timed_out" ? 124 : error.code.startsWith("usage_") ? 2 : 1;
}
