import { Command } from "commander";
import { NacreError } from "../error.ts";
import type { BodyOf } from "../host/api.ts";
import type { Client } from "../host/client.ts";
import { openText } from "../host/open-text.ts";
import { blueprintFile, contextOf, sandboxId, type Context, type StackOption } from "./context.ts";
import type { Named } from "./destination.ts";
import { note, plain, printJson } from "./output.ts";

interface AllowOptions extends StackOption {
  readonly json?: boolean;
  readonly for: string;
  readonly binary?: string;
  readonly method?: string;
  readonly path?: string;
  readonly yes?: boolean;
  readonly write?: string | true;
  readonly remove?: boolean;
}

/** `nacre allow SANDBOX DENIAL|HOST[:PORT]`: a rule above the base policy, live, that expires. */
export function allow(): Command {
  return new Command("allow")
    .description("let a sandbox reach what was refused: live, for a while")
    .argument("<sandbox>")
    .argument("<what>", "the id of a denial (nacre denials), or HOST[:PORT]; 443 without a port")
    .option("-s, --stack <name>", "the environment")
    .option("--for <duration>", "how long, at most 30d", "1h")
    .option("--binary <path>", "only for this executable")
    .option("--method <method>", "only requests of this method: GET; needs --path")
    .option("--path <path>", "only requests of this path: /repos/nacre; needs --method")
    .option("--write [file]", "also write the rule into the YAML blueprint")
    .option("--remove", "take it back; of a HOST without a port, at every port")
    .option("-y, --yes", "do not ask")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nOf a request that was refused for its query, that very query is allowed; else any.\nOne request (a denial's, or --method with --path) carries the credential that is bound to its host and path; a host\nthat is opened whole carries none.\nThe address guard stays: an allowed name that answers from a private address is still refused.\n\nExamples:\n  $ nacre allow assistant 843e99dc\n  $ nacre allow assistant api.example.com --for 30m --binary /usr/bin/curl\n  $ nacre allow assistant --remove api.example.com",
    )
    .action(async (name: string, what: string, options: AllowOptions) => {
      const { named } = await import("./destination.ts");
      const context = contextOf(options);
      const id = sandboxId(context, name);
      if (options.remove === true) await takeBack(id, named(what), options);
      else await open(context, id, named(what), options);
    });
}

async function open(context: Context, id: string, what: Named, options: AllowOptions): Promise<void> {
  const { connect } = await import("./daemon.ts");
  const only = await onlyOf(what, options);
  const seconds = await secondsOf(options.for);
  const daemon = await connect();
  const meant = await openedBy(daemon, id, what, only);
  if (options.yes !== true && options.json !== true) {
    const { confirmed } = await import("./confirm.ts");
    const question = `let ${id} reach ${plain(openText(meant.shown))} for ${options.for}?`;
    if (!(await confirmed(question))) return;
  }
  const write = await writerFor(context, id, options.write, meant.shown.query);
  const result = await daemon.call("allow", { id, what: meant.what, seconds });
  if (write !== undefined) note(`written into ${await write(result.allow)}`);
  if (options.json === true) printJson(result);
  else {
    const { allow, blocked, revision, enforcedMs } = result;
    note(
      `${id} may reach ${plain(openText(allow))} until ${new Date(allow.until).toISOString()} (revision ${revision}, enforced after ${enforcedMs.toFixed(0)} ms)`,
    );
    if (blocked !== undefined) note(`but ${plain(blocked.reason)}, and a block wins: ${plain(blocked.fix)}`);
  }
}

async function takeBack(id: string, what: Named, options: AllowOptions): Promise<void> {
  const { connect } = await import("./daemon.ts");
  const result = await (await connect()).call("disallow", { id, what });
  if (options.json === true) printJson(result);
  else
    for (const ended of result.ended)
      note(
        `${id}: ${plain(openText(ended))} is not allowed any more (revision ${result.revision}, enforced after ${result.enforcedMs.toFixed(0)} ms)`,
      );
}

async function secondsOf(duration: string): Promise<number> {
  const { seconds } = await import("./times.ts");
  const { longestAllow } = await import("../host/api.ts");
  const found = seconds(duration);
  if (found <= longestAllow) return found;
  throw new NacreError({
    code: "usage_duration",
    subject: duration,
    message: "is longer than 30d, the longest that something is allowed live",
    hint: "what is to stay belongs into the blueprint: --write puts it there",
  });
}

/** What is to be opened, as the daemon is asked for it and as a person is. */
interface Opened {
  readonly what: BodyOf<"allow">["what"];
  readonly shown: Parameters<typeof openText>[0];
}

/** What narrows an allow beside host and port. */
type Only = Pick<AllowOptions, "binary" | "method" | "path">;

/** @throws NacreError `usage_request`: half of a request, of what a denial says already, or none that is ever sent */
async function onlyOf(what: Named, { binary, method, path }: AllowOptions): Promise<Only> {
  const { allowableRequest } = await import("./allowable-request.ts");
  if (binary !== undefined) await refuseProgram(binary);
  const isRequest = method !== undefined || path !== undefined;
  const reason =
    isRequest && "id" in what
      ? "a denial says already which request it was"
      : (method === undefined) !== (path === undefined)
        ? "a method needs a path, and a path a method"
        : undefined;
  if (reason === undefined)
    return {
      ...(binary === undefined ? {} : { binary }),
      ...(method === undefined || path === undefined ? {} : allowableRequest(method, path)),
    };
  throw new NacreError({
    code: "usage_request",
    subject: "allow",
    message: reason,
    hint: "nacre allow SANDBOX HOST --method GET --path /issues",
  });
}

/** @throws NacreError `usage_binary`: no program owns a socket by such a path */
async function refuseProgram(binary: string): Promise<void> {
  const { programProblem } = await import("../policy/program.ts");
  const problem = programProblem(binary);
  if (problem === undefined) return;
  throw new NacreError({
    code: "usage_binary",
    subject: `--binary ${binary}`,
    message: problem.reason,
    hint: problem.fix,
  });
}

async function openedBy(daemon: Client, id: string, what: Named, only: Only): Promise<Opened> {
  if ("host" in what) {
    const open = { host: what.host, port: what.port ?? 443, ...only };
    return { what: open, shown: open };
  }
  const denial = (await daemon.call("denials", { id })).find((one) => one.id === what.id);
  if (denial === undefined)
    throw new NacreError({
      code: "denial_unknown",
      subject: what.id,
      message: `${id} has no such denial`,
      hint: `nacre denials ${id} lists them`,
    });
  if (denial.allow === null)
    throw new NacreError({
      code: "denial_not_allowable",
      subject: `denial ${what.id}`,
      message: `a rule would not open it: ${denial.reason}`,
      hint: denial.fix,
    });
  // What a person is shown is what is asked for: an id could mean something else by then.
  return { what: denial.allow, shown: denial.allow };
}

/** Before anything is allowed: a blueprint that cannot be written into is an error first. */
async function writerFor(
  context: Context,
  id: string,
  write: string | true | undefined,
  query: string | undefined,
) {
  if (write === undefined) return undefined;
  const { ruleWriter } = await import("./write-rule.ts");
  const hint = "name one with --write FILE; into a program the rule is written by hand";
  return ruleWriter(blueprintFile(context, write === true ? undefined : write, hint), id, query);
}
