import { Command } from "commander";
import type { Decision } from "../policy/decision.ts";
import { print } from "./output.ts";

interface DecideOptions {
  readonly policy: string;
  readonly requests: string;
  readonly json?: boolean;
}

/** `nacre policy decide`: a policy's answers to many requests, one JSON line each. Asks nobody, opens nothing. */
export function policyDecide(): Command {
  return new Command("decide")
    .description("what a policy says to each of many requests, one JSON decision a line")
    .requiredOption("--policy <file>", "the policy")
    .requiredOption(
      "--requests <file>",
      "JSON lines { host, port, binary, method?, path?, query? }; - is stdin",
    )
    .option("--json", "as JSON lines, which is how it always answers")
    .addHelpText(
      "after",
      `
Prints { decision, rule, layer, reason } a line: decision is allow, deny or audit, and what does not apply is null.
A path is made canonical first. query is as it is sent, or an object of parameter to value or values. What is left
out is not known: a rule that needs it does not allow, and one that denies by it denies.

Examples:
  $ nacre policy decide --policy policies/agent.yaml --requests requests.jsonl
  $ echo '{"host":"api.github.com","port":443,"binary":"/usr/bin/gh","method":"GET","path":"/user","query":""}' | nacre policy decide --policy policies/agent.yaml --requests -`,
    )
    .action(async (options: DecideOptions) => {
      const { compiledFrom, textOf } = await import("./policy-text.ts");
      const { decideOn, reasonOf } = await import("./policy-request.ts");
      const policy = await compiledFrom(options.policy);
      const lines = (await textOf(options.requests, 64 * 1024 * 1024)).split("\n");
      for (const [index, line] of lines.entries()) {
        if (line.trim() === "") continue;
        const request = await readRequest(line, `${options.requests}:${index + 1}`);
        const decision = decideOn(policy, request);
        print(JSON.stringify(answerOf(decision, reasonOf(decision, request))));
      }
    });
}

/** One line. @throws NacreError `invalid_request` that names it */
async function readRequest(line: string, subject: string) {
  const { NacreError } = await import("../error.ts");
  const { requestSchema } = await import("./policy-request.ts");
  const { findings } = await import("../blueprint/explain.ts");
  const { renderPath } = await import("../blueprint/problem.ts");
  const example =
    'write one JSON object a line: {"host":"api.example.com","port":443,"method":"GET","path":"/"}';
  const refused = (message: string, hint = example) =>
    new NacreError({ code: "invalid_request", subject, message, hint });
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw refused("is not JSON");
  }
  const read = requestSchema.safeParse(value);
  if (read.success) return read.data;
  const [found] = findings(requestSchema, value);
  throw found === undefined || found.path.length === 0
    ? refused(found?.reason ?? "is no request")
    : refused(`${renderPath(found.path)}: ${found.reason}`, found.fix);
}

/** A decision as it is printed: always the same four fields. */
function answerOf(decision: Decision, reason: string) {
  return {
    decision: decision.verdict,
    rule: decision.rule ?? null,
    layer: "layer" in decision ? decision.layer : null,
    reason,
  };
}
