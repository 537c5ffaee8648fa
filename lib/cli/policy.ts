import { Command } from "commander";
import { policyGet } from "./policy-get.ts";
import { policyHistory } from "./policy-history.ts";
import { policyRollback } from "./policy-rollback.ts";
import { policySet } from "./policy-set.ts";

/** `nacre policy …`: what a policy says, and the one in force. */
export function policy(): Command {
  return new Command("policy")
    .description("what a policy says, and the one in force")
    .addCommand(policySet())
    .addCommand(policyGet())
    .addCommand(policyHistory())
    .addCommand(policyRollback());
}
