import type { Path } from "./problem.ts";

/** Why something that is part of the language is refused, and what to write until it is enforced. */
export interface Later {
  readonly reason: string;
  readonly fix: string;
}

const signing = "requests are not signed";
const rewriting = "credentials go into headers, queries and paths, not into messages and bodies";

const endpointFields: Readonly<Record<string, string>> = {
  credential_signing: signing,
  signing_service: signing,
  signing_region: signing,
  websocket_credential_rewrite: rewriting,
  request_body_credential_rewrite: rewriting,
  allow_uninspected_credentials: "a credential goes only where requests are looked at",
  persisted_queries: "GraphQL is not inspected",
  graphql_persisted_queries: "GraphQL is not inspected",
  graphql_max_body_bytes: "GraphQL is not inspected",
  json_rpc: "JSON-RPC is not inspected",
  mcp: "MCP is not inspected",
};

/** What a rule on requests may ask for beside method, path and query. */
const matcherFields: Readonly<Record<string, string>> = {
  command: "SQL is not inspected",
  operation_type: "GraphQL is not inspected",
  operation_name: "GraphQL is not inspected",
  fields: "GraphQL is not inspected",
  tool: "MCP is not inspected",
  params: "JSON-RPC is not inspected",
};

const protocols: Readonly<Record<string, string>> = {
  websocket: "WebSocket messages are not inspected",
  graphql: "GraphQL is not inspected",
  sql: "SQL is not inspected",
  "json-rpc": "JSON-RPC is not inspected",
  mcp: "MCP is not inspected",
};

/** Values of `tls` that OpenShell itself gave up. */
const oldTls: Readonly<Record<string, Later>> = {
  terminate: { reason: "deprecated: TLS is terminated wherever a rule needs it", fix: "remove tls" },
  passthrough: { reason: "deprecated: another word for skip", fix: "write skip" },
};

/** A field of the policy language that is known and not enforced yet; `undefined` for a name that nobody knows. */
export function laterField(path: Path, key: string): Later | undefined {
  const fields = path.at(-2) === "endpoints" ? endpointFields : isMatcher(path) ? matcherFields : {};
  const why = Object.hasOwn(fields, key) ? fields[key] : undefined;
  if (why !== undefined) return notYet(why, `remove ${key}`);
  if (key === "network_middlewares") return notYet("bodies are not redacted", `remove ${key}`);
  if (key === "harness" && path.at(-2) === "binaries")
    return { reason: "deprecated: it never had a meaning", fix: "remove harness" };
  return undefined;
}

const isMatcher = (path: Path): boolean => path.at(-2) === "deny_rules" || path.at(-1) === "allow";

/** A value of the policy language that is known and not enforced yet. */
export function laterValue(path: Path, value: unknown): Later | undefined {
  if (typeof value !== "string") return undefined;
  if (path.at(-1) === "tls") return Object.hasOwn(oldTls, value) ? oldTls[value] : undefined;
  const why = path.at(-1) === "protocol" && Object.hasOwn(protocols, value) ? protocols[value] : undefined;
  return why === undefined ? undefined : notYet(why, "remove protocol, or write rest");
}

export const notYet = (why: string, fix: string): Later => ({ reason: `not enforced yet: ${why}`, fix });
