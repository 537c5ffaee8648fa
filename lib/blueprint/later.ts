import type { Path } from "./problem.ts";

/** Why something that is part of the language is refused, and what to write until it is enforced. */
export interface Later {
  readonly reason: string;
  readonly fix: string;
}

const http = "methods and paths are not inspected; a rule opens a host and a port";

const endpointFields: Readonly<Record<string, string>> = {
  path: http,
  access: http,
  rules: http,
  deny_rules: http,
  allow_encoded_slash: http,
  allowed_ips: "private addresses are the operator's word: write a grant into host.yaml",
  credential_binding: "credentials are not injected on the wire",
  credential_signing: "credentials are not injected on the wire",
  signing_service: "credentials are not injected on the wire",
  signing_region: "credentials are not injected on the wire",
  websocket_credential_rewrite: "credentials are not injected on the wire",
  request_body_credential_rewrite: "credentials are not injected on the wire",
  allow_uninspected_credentials: "credentials are not injected on the wire",
  persisted_queries: "GraphQL is not inspected",
  graphql_persisted_queries: "GraphQL is not inspected",
  graphql_max_body_bytes: "GraphQL is not inspected",
  json_rpc: "JSON-RPC is not inspected",
  mcp: "MCP is not inspected",
};

const protocols: Readonly<Record<string, string>> = {
  rest: http,
  websocket: "WebSocket messages are not inspected",
  graphql: "GraphQL is not inspected",
  sql: "SQL is not inspected",
  "json-rpc": "JSON-RPC is not inspected",
  mcp: "MCP is not inspected",
};

/** Presets that need rules on methods and paths: opening their hosts whole would give more than their names say. */
const presets: Readonly<Record<string, string>> = {
  "github-read": "use `github`, which opens GitHub's hosts whole, or an endpoint of your own",
  "github-write": "use `github`, which opens GitHub's hosts whole, or an endpoint of your own",
  telegram: "add an endpoint for api.telegram.org to the policy; anything can then be sent there",
  slack: "add endpoints for slack.com to the policy; anything can then be sent there",
  discord: "add endpoints for discord.com to the policy; anything can then be sent there",
  huggingface: "add endpoints for huggingface.co to the policy; anything can then be sent there",
  "brave-search": "add an endpoint for api.search.brave.com to the policy; anything can then be sent there",
};

/** A field of the policy language that is known and not enforced yet; `undefined` for a name that nobody knows. */
export function laterField(path: Path, key: string): Later | undefined {
  const why = path.at(-2) === "endpoints" ? endpointFields[key] : undefined;
  if (why !== undefined) return notYet(why, `remove ${key}`);
  if (key === "network_middlewares") return notYet("bodies are not redacted", `remove ${key}`);
  return undefined;
}

/** A value of the policy language that is known and not enforced yet. */
export function laterValue(path: Path, value: unknown): Later | undefined {
  if (path.at(-1) !== "protocol" || typeof value !== "string") return undefined;
  const why = protocols[value];
  return why === undefined ? undefined : notYet(why, "remove protocol, or write tcp");
}

export function laterPreset(name: string): Later | undefined {
  const fix = presets[name];
  return fix === undefined ? undefined : notYet(`the preset ${name} needs rules on methods and paths`, fix);
}

export const notYet = (why: string, fix: string): Later => ({ reason: `not enforced yet: ${why}`, fix });
