import { Command } from "commander";
import { NacreError } from "../error.ts";
import { contextOf, sandboxId, type StackOption } from "./context.ts";
import { plain, print, printJson } from "./output.ts";

interface AskOptions extends StackOption {
  readonly json?: boolean;
  readonly timeout: string;
  readonly session?: string;
}

/** `nacre ask SANDBOX MESSAGE`: gives the agent a task through its own server and prints its real answer. */
export function ask(): Command {
  return new Command("ask")
    .description("give the agent a task and print its answer")
    .argument("<sandbox>")
    .argument("<message>")
    .option("-s, --stack <name>", "the environment")
    .option("--timeout <duration>", "how long to wait", "10m")
    .option("--session <name>", "go on with a conversation of this name")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      '\nExit code 124 when no answer came in time.\n\nExample:\n  $ nacre ask assistant "what is in your workspace?"',
    )
    .action(async (name: string, message: string, options: AskOptions) => {
      if (message.trim() === "")
        throw new NacreError({
          code: "usage_message",
          subject: "message",
          message: "is empty",
          hint: `write the task: nacre ask ${name} "what is in your workspace?"`,
        });
      const { connect } = await import("./daemon.ts");
      const { seconds } = await import("./times.ts");
      const { ask: askAgent } = await import("../host/ask.ts");
      const daemon = await connect();
      const connection = await daemon.call("agent.connection", { id: sandboxId(contextOf(options), name) });
      const reply = await askAgent(connection, message, {
        timeoutMs: seconds(options.timeout) * 1000,
        ...(options.session === undefined ? {} : { session: options.session }),
      });
      if (options.json === true) printJson(reply);
      else print(reply.text.split("\n").map(plain).join("\n"));
    });
}
