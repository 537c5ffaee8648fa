import { Command } from "commander";
import { NacreError } from "../error.ts";
import { contextOf, sandboxId, type StackOption } from "./context.ts";
import { waitFor, withWait, type WaitOptions } from "./policy-wait.ts";

interface SetOptions extends StackOption, WaitOptions {
  readonly json?: boolean;
  readonly policy?: string;
  readonly preset?: readonly string[];
}

/** `nacre policy set SANDBOX --policy FILE`: another base policy, whole and live, under the allows and blocks. */
export function policySet(): Command {
  const command = new Command("set")
    .description("replace what a sandbox may reach, live; allows and blocks stay above it")
    .argument("<sandbox>")
    .option("--policy <file>", "a policy file, OpenShell's version 1; - is the standard input")
    .option("--preset <name>", "also this preset; may be given several times", several)
    .option("-s, --stack <name>", "the environment")
    .option("--json", "as JSON");
  return withWait(command)
    .addHelpText(
      "after",
      "\nAn invalid policy changes nothing. nacre up keeps what was set here, rule by rule, until\nnacre policy rollback SANDBOX --to up.\n\nExit codes: 0 in force (without --wait: recorded), 1 refused, 124 not in force in time.\n\nExamples:\n  $ nacre policy set assistant --policy policy.yaml --wait\n  $ nacre policy get assistant | sed s/8080/8081/ | nacre policy set assistant --policy -",
    )
    .action(async (name: string, options: SetOptions) => {
      const { policyFrom } = await import("./policy-file.ts");
      const body = { id: sandboxId(contextOf(options), name), ...(await policyFrom(sourcesOf(options))) };
      const { handedOver } = await import("../host/handed-over.ts");
      const { readOperator } = await import("../host/operator.ts");
      const { operatorFile } = await import("../host/paths.ts");
      const { secretNames } = await import("../host/secret-use.ts");
      const names = secretNames({ network: body.network, inference: null });
      const values = await handedOver(names, () => readOperator(operatorFile()));
      const wait = await waitFor(options);
      const { connect } = await import("./daemon.ts");
      const { tellChange } = await import("./policy-change.ts");
      const changed = await (await connect()).call("policy.set", { ...body, values, ...wait });
      tellChange(body.id, changed, options.json === true);
    });
}

const several = (name: string, before: readonly string[] = []): string[] => [...before, name];

function sourcesOf({ policy, preset = [] }: SetOptions) {
  if (policy !== undefined || preset.length > 0) return { file: policy, presets: preset };
  throw new NacreError({
    code: "usage_policy",
    subject: "policy set",
    message: "names no policy",
    hint: "add --policy FILE, or --preset NAME",
  });
}
