import { hasBothOrNeither, openedSchema, type Allow, type Block } from "../egress/protocol.ts";
import { NacreError } from "../error.ts";
import { compile } from "../policy/compile.ts";
import { blockOf } from "../policy/decide.ts";
import { parseHostPattern } from "../policy/host-pattern.ts";
import { unruled } from "../policy/unruled.ts";
import { allowableIn, openedBy } from "./denial-list.ts";
import { escapeControls } from "./escape.ts";
import { refuseGuarded } from "./guarded.ts";
import type { Operator } from "./operator.ts";
import { opensSame } from "./overrides.ts";

type Open = Omit<Allow, "id" | "until">;

/** What an `allow` is to open. @throws NacreError where it would not, or opens more than a domain */
export function opened(
  sandbox: { readonly id: string; readonly audit: string },
  what: { readonly denial: string } | Open,
  operator: Operator,
): Open {
  const open = "denial" in what ? allowableIn(sandbox.audit, sandbox.id, what.denial) : what;
  const host = normalHost(open.host);
  const never = unruled(host);
  if (never !== undefined)
    throw new NacreError({
      code: "allow_unruled",
      subject: `${host}:${open.port}`,
      message: never.reason,
      hint: never.fix,
    });
  refuseGuarded({ host, port: open.port }, operator);
  // The audit is the egress', which parses an agent's bytes: what it says has the form of an allow, or is refused.
  const { data } = openedSchema.refine(hasBothOrNeither).safeParse({ ...open, host });
  if (data !== undefined) return data;
  throw new NacreError({
    code: "allow_invalid",
    subject: `${host}:${open.port}`,
    message: "what is asked for is no destination of a rule",
    hint: `name it: nacre allow ${sandbox.id} HOST:PORT`,
  });
}

/** The allows in force that `what` means. @throws NacreError `allow_unknown` */
export function meant(
  sandbox: { readonly id: string; readonly audit: string },
  what: { readonly id: string } | { readonly host: string; readonly port?: number | undefined },
  allows: readonly Allow[],
): Allow[] {
  const isMeant = "id" in what ? byId(sandbox.audit, what.id) : byHost(normalHost(what.host), what.port);
  const found = allows.filter((allow) => allow.until > Date.now() && isMeant(allow));
  if (found.length > 0) return found;
  throw new NacreError({
    code: "allow_unknown",
    subject: `allow ${escapeControls("id" in what ? what.id : what.host)}`,
    message: `sandbox ${sandbox.id} has no such allow in force`,
    hint: `nacre status ${sandbox.id} lists them`,
  });
}

function byId(audit: string, id: string): (allow: Allow) => boolean {
  const open = openedBy(audit, id);
  return (allow) => allow.id === id || (open !== undefined && opensSame(allow, open));
}

const byHost =
  (host: string, port: number | undefined) =>
  (allow: Allow): boolean =>
    allow.host === host && (port === undefined || allow.port === port);

/** The block that lies over what was allowed, and the command that ends it: a block wins. */
export function blockOver(
  sandbox: string,
  host: string,
  blocks: readonly Block[],
): { readonly reason: string; readonly fix: string } | undefined {
  const blocked = blockOf(compile({ base: {}, allows: [], blocks }), host);
  if (blocked === undefined) return undefined;
  const { unblock = "all" } = blocked.fix;
  const what = unblock === "all" ? "--all" : `'${unblock}'`;
  return { reason: blocked.reason, fix: `nacre unblock ${sandbox} ${what}` };
}

/** The only spelling of a host or a pattern. @throws NacreError `host_invalid` */
export function normalHost(host: string): string {
  const pattern = parseHostPattern(host);
  if ("kind" in pattern) return pattern.text;
  throw new NacreError({
    code: "host_invalid",
    subject: `host ${JSON.stringify(host)}`,
    message: pattern.reason,
    hint: pattern.fix,
  });
}
