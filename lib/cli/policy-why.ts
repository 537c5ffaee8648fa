import { Command } from "commander";
import { NacreError } from "../error.ts";
import type { CompiledPolicy } from "../policy/compile.ts";
import type { Decision } from "../policy/decision.ts";
import { contextOf, sandboxId, type StackOption } from "./context.ts";
import { plain, print, printJson } from "./output.ts";
import type { Request } from "./policy-request.ts";

interface WhyOptions extends StackOption {
  readonly method?: string;
  readonly binary?: string;
  readonly sandbox?: string;
  readonly policy?: string;
  readonly json?: boolean;
}

/** `nacre policy why`: which rule decides, why, and the smallest change that would alter it. */
export function policyWhy(): Command {
  return new Command("why")
    .description(
      "which rule decides about a host or a request, why, and the smallest change that would alter it",
    )
    .argument("<what>", "HOST[:PORT][/PATH[?QUERY]]; 443 without a port")
    .option("--method <method>", "of the request; GET where only a path is given")
    .option("--binary <path>", "the executable that asks; left out, it could not be told")
    .option("--sandbox <name>", "ask the policy in force there")
    .option("--policy <file>", "ask this file")
    .option("-s, --stack <name>", "the environment of the sandbox")
    .option("--json", "as JSON: { decision, rule, layer, reason, fix, allow }")
    .addHelpText(
      "after",
      "\nExamples:\n  $ nacre policy why api.github.com/repos/a/b/issues --method POST --policy policies/agent.yaml\n  $ nacre policy why db.example.net:5432 --sandbox assistant",
    )
    .action(async (what: string, options: WhyOptions) => {
      const { decideOn, reasonOf } = await import("./policy-request.ts");
      const request = await requestOf(what, options);
      const decision = decideOn(await policyOf(options), request);
      const fix = changeOf(decision);
      const { rule = null } = decision;
      const layer = "layer" in decision ? decision.layer : null;
      const reason = reasonOf(decision, request);
      const allow = "fix" in decision ? (decision.fix.allow ?? null) : null;
      if (options.json === true) printJson({ decision: decision.verdict, rule, layer, reason, fix, allow });
      else
        print(`${decision.verdict}: ${plain(reason)}\n  ${plain(titled(rule, layer))}\n  fix: ${plain(fix)}`);
    });
}

const titled = (rule: string | null, layer: string | null): string =>
  [`rule: ${rule ?? "none"}`, ...(layer === null ? [] : [`layer: ${layer}`])].join("  ");

function changeOf(decision: Decision): string {
  if (decision.verdict === "deny") return decision.fix.text;
  if (decision.verdict === "audit")
    return `it goes through because rule ${decision.rule} says enforcement: audit`;
  return `to refuse it, narrow rule ${decision.rule}, or block the host with nacre block`;
}

async function policyOf({ policy, sandbox, ...options }: WhyOptions): Promise<CompiledPolicy> {
  if (policy !== undefined && sandbox === undefined) {
    const { compiledFrom } = await import("./policy-text.ts");
    return compiledFrom(policy);
  }
  if (sandbox !== undefined && policy === undefined) {
    const { policyInForce } = await import("./policy-in-force.ts");
    return policyInForce(sandboxId(contextOf(options), sandbox));
  }
  throw new NacreError({
    code: "usage_why",
    subject: "nacre policy why",
    message: "takes --sandbox or --policy, one of them",
    hint: "add --policy FILE, or --sandbox NAME",
  });
}

/** @throws NacreError `usage_destination` */
async function requestOf(what: string, { method, binary }: WhyOptions): Promise<Request> {
  const { destinationHost, methodFault } = await import("./policy-request.ts");
  const slash = what.indexOf("/");
  const place = slash < 0 ? what : what.slice(0, slash);
  const [path = "", ...more] = slash < 0 ? [] : what.slice(slash).split("?");
  const [, written = "", digits = "443"] =
    /^(\[[^\]]*\]|[^:]*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)(?::([0-9]{1,5}))?$/.exec(place) ?? [];
  const host = destinationHost(written);
  const port = Number(digits);
  if (host === undefined || port < 1 || port > 65535)
    throw new NacreError({
      code: "usage_destination",
      subject: what,
      message: "is no host, port and path",
      hint: "write HOST[:PORT][/PATH]: api.example.com:443/v1/items",
    });
  const fault = method === undefined ? undefined : methodFault(method);
  if (fault !== undefined)
    throw new NacreError({
      code: "usage_method",
      subject: method ?? "",
      message: fault,
      hint: "write GET, HEAD, OPTIONS, POST, PUT, PATCH or DELETE",
    });
  if (slash < 0 && method === undefined) return { host, port, binary };
  return {
    host,
    port,
    binary,
    method: (method ?? "GET").toUpperCase(),
    path: slash < 0 ? undefined : path,
    query: slash < 0 ? undefined : more.join("?"),
  };
}
