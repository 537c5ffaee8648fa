import { z } from "zod";
import { parseAddress, unmapped } from "../policy/address.ts";
import { canonicalPath } from "../policy/canonical-path.ts";
import type { CompiledPolicy } from "../policy/compile.ts";
import { decide } from "../policy/decide.ts";
import type { Decision, HttpRequest, Query } from "../policy/decision.ts";
import { hostName } from "../policy/host-name.ts";
import { oneMethodProblem } from "../policy/http-method.ts";
import { problemText } from "../policy/problem.ts";
import { readQuery } from "../policy/query.ts";

/** The name or address in its one spelling; `undefined` for what is neither. */
export function destinationHost(written: string): string | undefined {
  const address = parseAddress(written.replace(/^\[(.*)\]$/, "$1"));
  return address === undefined ? hostName(written) : unmapped(address).text;
}

/**
 * A request as a person or a file has it. Without method, path and query it is a connection. What is left out is not
 * known: a rule that needs it does not allow, and one that denies by it denies.
 */
export const requestSchema = z.strictObject({
  host: z
    .string()
    .refine(
      (host) => destinationHost(host) !== undefined,
      "neither a name nor an address: write one alone, api.example.com",
    )
    .transform((host) => destinationHost(host) ?? ""),
  port: z.int().min(1).max(65535),
  /** The path of the executable that owns the socket; left out, it could not be told. */
  binary: z.string().min(1).optional(),
  method: z
    .string()
    .regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}$/, "no method: write one, GET")
    .transform((method) => method.toUpperCase())
    .optional(),
  /** As it is sent, without the query: it is made canonical. */
  path: z.string().optional(),
  /** As it is sent, without its `?`; or parameter to value, or to all of its values. */
  query: z.union([z.string(), z.record(z.string(), z.union([z.string(), z.array(z.string())]))]).optional(),
});
export type Request = z.infer<typeof requestSchema>;

/** What the policy says. A path that cannot be read in one way is refused where requests are looked at, as on the wire. */
export function decideOn(policy: CompiledPolicy, request: Request): Decision {
  const { host, port, binary, method, path: written, query } = request;
  const [who, where] = [{ binary }, { host, port }];
  if (method === undefined && written === undefined && query === undefined) return decide(policy, who, where);
  const path = written === undefined ? undefined : canonicalPath(written, { encodedSlash: true });
  if (path === undefined || "path" in path) {
    const what: HttpRequest = { method, path: path?.path, query: queryOf(query) };
    return decide(policy, who, where, what);
  }
  const connection = decide(policy, who, where);
  if (connection.verdict === "deny" || connection.inspect !== "http") return connection;
  return {
    verdict: "deny",
    layer: "http",
    reason: `the path cannot be read in one way: ${path.reason}`,
    fix: { text: path.fix },
  };
}

function queryOf(query: Request["query"]): Query | undefined {
  if (query === undefined || typeof query === "string")
    return query === undefined ? undefined : readQuery(query);
  return new Map(
    Object.entries(query).map(([name, values]) => [name, typeof values === "string" ? [values] : values]),
  );
}

/** Why it goes through, or not. */
export function reasonOf(decision: Decision, { method, path, query }: Request): string {
  if (decision.verdict !== "allow") return decision.reason;
  const connection = method === undefined && path === undefined && query === undefined;
  return connection && decision.inspect === "http"
    ? `rule ${decision.rule} opens the connection, and each request is decided for itself`
    : `rule ${decision.rule} allows it`;
}

/** Why a method cannot be ruled on, for a command's argument. */
export function methodFault(method: string): string | undefined {
  const problem = oneMethodProblem(method);
  return problem && problemText(problem);
}
