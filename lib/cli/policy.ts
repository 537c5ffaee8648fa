import { Command } from "commander";

/** `nacre policy …`: what a policy says, and the one in force. */
export function policy(): Command {
  return new Command("policy").description("what a policy says, and the one in force");
}
