import type { Machine } from "./machine.ts";
import { serve } from "./serve.ts";

/**
 * A provider plugin as the engine starts one: the engine's address is the last argument, the port that we listen on is
 * the first line of stdout, and stdin stays open for as long as the engine lives. However the engine ends, we end too;
 * what it had asked for goes on in the daemon, and is found again by its id.
 */
export async function runPlugin(machine: Machine, args: readonly string[]): Promise<void> {
  process.stdin.resume().on("end", () => process.exit(0));
  // The engine's own way to end us, after Cancel; a terminal's interrupt does not reach this process group.
  process.on("SIGINT", () => process.exit(0));
  const port = await serve(
    machine,
    args.findLast((arg) => !arg.startsWith("-")),
  );
  process.stdout.write(`${port}\n`);
}
