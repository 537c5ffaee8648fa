import { Command } from "commander";
import { NacreError } from "../error.ts";
import type { CompiledPolicy } from "../policy/compile.ts";
import { type IpAddress, parseAddress } from "../policy/address.ts";
import type { Decision } from "../policy/decision.ts";
import { contextOf, sandboxId, type StackOption } from "./context.ts";
import { plain, print, printJson } from "./output.ts";
import type { Request } from "./policy-request.ts";

interface WhyOptions extends StackOption {
  readonly method?: string;
  readonly binary?: string;
  readonly address: readonly string[];
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
    .option("--address <ip>", "what the name answers with; may be given again", collect, [])
    .option("--sandbox <name>", "ask the policy in force there")
    .option("--policy <file>", "ask this file")
    .option("-s, --stack <name>", "the environment of the sandbox")
    .option("--json", "as JSON: { decision, rule, layer, reason, fix, allow, grant }")
    .addHelpText(
      "after",
      "\nOf an address, and of a name with --address, it also says whether the address guard lets it by. A name is not looked up.\n\nExamples:\n  $ nacre policy why api.github.com/repos/a/b/issues --method POST --policy policies/agent.yaml\n  $ nacre policy why db.example.net:5432 --sandbox assistant\n  $ nacre policy why db.example.net:5432 --address 10.0.0.7 --policy policies/agent.yaml",
    )
    .action(async (what: string, options: WhyOptions) => {
      const { decideOn, reasonOf } = await import("./policy-request.ts");
      const request = await requestOf(what, options);
      const answers = answersOf(request, options.address);
      const decided = decideOn(await policyOf(options), request);
      const decision =
        (await neverAsked(decided, request)) ?? (await guardOn(decided, request, answers)) ?? decided;
      const fix = changeOf(decision);
      const { rule = null } = decision;
      const layer = "layer" in decision ? decision.layer : null;
      const reason = reasonOf(decision, request);
      const allow = "fix" in decision ? (decision.fix.allow ?? null) : null;
      const grant = "fix" in decision ? (decision.fix.grant ?? null) : null;
      if (options.json === true)
        printJson({ decision: decision.verdict, rule, layer, reason, fix, allow, grant });
      else
        print(`${decision.verdict}: ${plain(reason)}\n  ${plain(titled(rule, layer))}\n  fix: ${plain(fix)}`);
    });
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** What would be dialled, as far as it is known. @throws NacreError `usage_address` */
function answersOf({ host }: Request, written: readonly string[]): readonly IpAddress[] {
  const literal = parseAddress(host);
  const refused = (subject: string, message: string, hint: string): NacreError =>
    new NacreError({ code: "usage_address", subject, message, hint });
  if (literal === undefined)
    return written.map((text) => {
      const address = parseAddress(text);
      if (address !== undefined) return address;
      throw refused(`--address ${text}`, "is no IPv4 or IPv6 address", "write it as 10.0.0.7 or 2001:db8::7");
    });
  if (written.length === 0) return [literal];
  throw refused("--address", `${host} is an address itself`, "leave --address out, or name a host");
}

/** What no rule is asked about, whatever it says. A block comes before. */
async function neverAsked(decided: Decision, { host }: Request): Promise<Decision | undefined> {
  const { unruled } = await import("../policy/unruled.ts");
  const never = unruled(host);
  if (never === undefined || (decided.verdict === "deny" && decided.layer === "block")) return undefined;
  const { reason, fix: text } = never;
  return { verdict: "deny", layer: "network", rule: decided.rule, reason, fix: { text } };
}

/** What the address guard says after the policy, where it refuses: no rule lifts it, and only a block comes before. */
async function guardOn(
  decided: Decision,
  { host, port }: Request,
  answers: readonly IpAddress[],
): Promise<Decision | undefined> {
  if (answers.length === 0 || (decided.verdict === "deny" && decided.layer === "block")) return undefined;
  const { guardedAnswers, guardFix } = await import("../host/guarded.ts");
  const { readOperator } = await import("../host/operator.ts");
  const { operatorFile } = await import("../host/paths.ts");
  const operator = await readOperator(operatorFile());
  const within = decided.verdict === "deny" ? undefined : decided.within;
  const refused = guardedAnswers({ host, port }, answers, operator, within);
  if (refused === undefined) return undefined;
  const also = decided.verdict === "deny" ? `; besides, ${decided.reason}` : "";
  return {
    ...refused,
    rule: decided.rule,
    reason: `${refused.reason}${also}`,
    fix: { ...refused.fix, text: guardFix(refused, operator.file) },
  };
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
      hint: /^https:\/\/./.test(what)
        ? `write ${what.slice("https://".length)}`
        : "write HOST[:PORT][/PATH]: api.example.com:443/v1/items",
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
