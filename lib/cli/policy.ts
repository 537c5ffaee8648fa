import { Command } from "commander";
import { policyAddress } from "./policy-address.ts";
import { policyCanonical } from "./policy-canonical.ts";
import { policyDecide } from "./policy-decide.ts";
import { policyFormat } from "./policy-format.ts";
import { policyGet } from "./policy-get.ts";
import { policyHistory } from "./policy-history.ts";
import { policyLint } from "./policy-lint.ts";
import { policyMatch } from "./policy-match.ts";
import { policyRollback } from "./policy-rollback.ts";
import { policySet } from "./policy-set.ts";
import { policyWhy } from "./policy-why.ts";

/** `nacre policy …`: what a policy says, and the one in force. */
export function policy(): Command {
  return new Command("policy")
    .description("what a policy says, and the one in force")
    .addCommand(policySet())
    .addCommand(policyGet())
    .addCommand(policyHistory())
    .addCommand(policyRollback())
    .addCommand(policyLint())
    .addCommand(policyFormat())
    .addCommand(policyDecide())
    .addCommand(policyWhy())
    .addCommand(policyCanonical())
    .addCommand(policyMatch())
    .addCommand(policyAddress())
    .addHelpText(
      "after",
      "\nExamples:\n  $ nacre policy lint policies/agent.yaml\n  $ nacre policy why api.github.com/repos/a/b --method POST --policy policies/agent.yaml\n  $ nacre policy set assistant --policy policies/agent.yaml --wait",
    );
}
