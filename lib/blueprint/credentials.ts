import { z } from "zod";
import { NacreError } from "../error.ts";
import { positionOf, positionProblem } from "../policy/binding.ts";
import type { CredentialPosition } from "../policy/decision.ts";
import { HostTrie } from "../policy/host-trie.ts";
import { exactHost, hostPatternProblem, parseHostPattern } from "../policy/host-pattern.ts";
import {
  bindingSchema,
  type Endpoint,
  endpointPorts,
  type NetworkPolicies,
  type NetworkRule,
} from "../policy/language.ts";
import { type Problem, problemText } from "../policy/problem.ts";
import type { CredentialSpec } from "./blueprint.ts";
import { normalEndpoint } from "./normal-endpoint.ts";
import type { Finding, Path } from "./problem.ts";

/** A name of an environment variable. */
export const variableSchema = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "a name of a variable: PORT");

/** A host, or a host and a port: exact, since a credential goes to no host that a pattern happens to match. */
const destinationSchema = z.string().superRefine((written, context) => {
  const { host, port } = destinationOf(written);
  const problem = hostPatternProblem(host) ?? notOne(written, host) ?? portProblem(port);
  if (problem !== undefined) context.addIssue({ code: "custom", message: problemText(problem) });
});

export function notOne(written: string, host: string): Problem | undefined {
  if (exactHost(host) !== undefined) return undefined;
  return { reason: `"${written}" is a pattern`, fix: "write each host whole: api.example.com" };
}

function portProblem(port: number): Problem | undefined {
  if (port >= 1 && port <= 65535) return undefined;
  return { reason: `${port} is not a port`, fix: "write 1 to 65535, or nothing for 443" };
}

function destinationOf(written: string): { readonly host: string; readonly port: number } {
  const [, host = "", port = "443"] = /^(.*?)(?::(\d{1,5}))?$/.exec(written) ?? [];
  return { host, port: Number(port) };
}

/** In the form that endpoints have: what is written in another would be bound to none of them. */
function normalDestination(written: string): string {
  const { host, port } = destinationOf(written);
  const name = exactHost(host) ?? host.toLowerCase();
  return port === 443 ? name : `${name}:${port}`;
}

export const credentialSchema = z.strictObject({
  as: variableSchema
    .optional()
    .describe(
      "The variable inside that holds the placeholder; without it the agent sees nothing, and needs nothing.",
    )
    .meta({
      examples: ["TELEGRAM_BOT_TOKEN"],
      unspoken: "write the name of a variable, for example TELEGRAM_BOT_TOKEN; never the secret itself",
    }),
  for: z
    .array(destinationSchema)
    .min(1, "at least one host")
    .describe(
      "Hosts where it is put on, at port 443 unless given. Rules have to reach them; the operator has to agree.",
    )
    .meta({ examples: ["[api.telegram.org]"] }),
  in: bindingSchema.shape.in
    .describe("Where it goes: a header (with a prefix), Basic, a query parameter or the path.")
    .meta({ default: '`{ header: authorization, prefix: "Bearer " }`', examples: ['{ path: "/bot{}/" }'] }),
});
export type CredentialDocument = z.infer<typeof credentialSchema>;
type Written = Omit<CredentialDocument, "for"> & { readonly for: readonly string[] };

/** As it is written, with one form for every position. */
export function credentialOf({ as, for: hosts, in: position }: Written): CredentialSpec {
  return {
    ...(as === undefined ? {} : { as }),
    for: [...new Set(hosts.map(normalDestination))].sort(),
    ...(position === undefined ? {} : { in: positionOf(position) }),
  };
}

/** Variables that programs are steered by: a placeholder in one of them breaks the sandbox. */
const steering =
  /^(PATH|HOME|USER|LANG|TERM|SHELL|PWD|TMPDIR|LD_.*|NODE_.*|PYTHON.*|JAVA_.*|JDK_.*|SSL_.*|CURL_.*|GIT_.*|REQUESTS_.*|OPENSSL_.*|BASH_.*|ENV)$/;

/** What is wrong with credentials that have the right shape. */
export function credentialFindings(credentials: Readonly<Record<string, Written>>, at: Path): Finding[] {
  const variables = new Map<string, string>();
  return Object.entries(credentials).flatMap(([name, { as, in: position }]) => {
    const found: Finding[] = [];
    const problem = position === undefined ? undefined : positionProblem(position);
    if (problem !== undefined) found.push({ path: [...at, name, "in"], ...problem });
    if (as === undefined) return found;
    const other = variables.get(as);
    variables.set(as, name);
    if (other !== undefined)
      found.push({
        path: [...at, name, "as"],
        reason: `${as} is ${other}'s already`,
        fix: "name another variable",
      });
    if (steering.test(as))
      found.push({
        path: [...at, name, "as"],
        reason: `${as} steers programs, and would hold a placeholder`,
        fix: "name a variable that the agent reads its credential from",
      });
    return found;
  });
}

export interface BoundRules {
  readonly network: NetworkPolicies;
  /** Those that some endpoint carries, by name. */
  readonly credentials: Readonly<Record<string, ResolvedCredential>>;
}

export interface ResolvedCredential {
  readonly as?: string;
  /** Hosts whose endpoints are bound to it where they name none; empty where only endpoints name it. */
  readonly for: readonly string[];
  readonly in?: CredentialPosition;
}

/**
 * Binds each endpoint to the credential that is for its host, where it names none itself. Throws `NacreError` where two
 * are for one, or where a credential is for an endpoint that is never looked into.
 */
export function bindCredentials(
  network: NetworkPolicies,
  credentials: Readonly<Record<string, CredentialSpec>>,
  subject: string,
): BoundRules {
  const bound = Object.entries(network).map(([id, rule]): [string, NetworkRule] => {
    const endpoints = rule.endpoints.flatMap((one) => bind(one, credentials, `${subject}, rule ${id}`));
    // A rule that no credential is for stays the very one: a preset's is one object in all agents.
    return [id, endpoints.every((one, at) => one === rule.endpoints[at]) ? rule : { ...rule, endpoints }];
  });
  const named = new Set(
    bound.flatMap(([, { endpoints }]) =>
      endpoints.flatMap((endpoint) => endpoint.credential_binding?.provider ?? []),
    ),
  );
  const used = [...named]
    .sort()
    .map((name): [string, ResolvedCredential] => [
      name,
      resolved(Object.hasOwn(credentials, name) ? credentials[name] : undefined),
    ]);
  return { network: Object.fromEntries(bound), credentials: Object.fromEntries(used) };
}

/**
 * Throws `NacreError` where a credential is for a host that only a pattern reaches: it would be put on nowhere, and the
 * agent's own would pass.
 */
export function refuseUnbound(
  network: NetworkPolicies,
  credentials: Readonly<Record<string, CredentialSpec>>,
  subject: string,
): void {
  const endpoints = Object.values(network).flatMap((rule) => rule.endpoints);
  const destinations = Object.entries(credentials).flatMap(([name, spec]) =>
    spec.for.map((destination) => ({ name, destination })),
  );
  for (const { name, destination } of destinations) {
    const { host, port } = destinationOf(destination);
    const there = endpoints.filter((endpoint) => endpointPorts(endpoint).includes(port));
    if (there.some((endpoint) => endpoint.host === host)) continue;
    const trie = new HostTrie<true>();
    for (const { host: written = "" } of there) {
      const pattern = parseHostPattern(written);
      if ("kind" in pattern) trie.at(pattern, () => true);
    }
    if (trie.matching(host).length === 0) continue;
    throw new NacreError({
      code: "credential_unbound",
      subject,
      message: `the credential ${name} is for ${destination}, which only a pattern reaches`,
      hint: `add an endpoint of that host and port: a credential goes to no host that a pattern happens to match`,
    });
  }
}

function bind(
  endpoint: Endpoint,
  credentials: Readonly<Record<string, CredentialSpec>>,
  subject: string,
): Endpoint[] {
  if (endpoint.credential_binding !== undefined || endpoint.host === undefined) return [endpoint];
  const { host } = endpoint;
  const byProvider = Map.groupBy(endpointPorts(endpoint), (port) =>
    providerFor(host, port, credentials, subject),
  );
  // Most endpoints are for no credential: they stay as they were written.
  if (byProvider.size === 1 && byProvider.has(undefined)) return [endpoint];
  return [...byProvider].map(([provider, ports]) => {
    if (provider === undefined) return normalEndpoint({ ...endpoint, port: undefined, ports });
    if (endpoint.protocol === "tcp" || endpoint.tls === "skip")
      throw new NacreError({
        code: "credential_uninspected",
        subject,
        message: `the credential ${provider} is for ${host}, and this endpoint is never looked into`,
        hint: endpoint.protocol === "tcp" ? "remove protocol: tcp" : "remove tls: skip",
      });
    return normalEndpoint({ ...endpoint, port: undefined, ports, credential_binding: { provider } });
  });
}

function providerFor(
  host: string,
  port: number,
  credentials: Readonly<Record<string, CredentialSpec>>,
  subject: string,
): string | undefined {
  const [first, second] = Object.entries(credentials)
    .filter(([, spec]) => spec.for.includes(`${host}:${port}`) || (port === 443 && spec.for.includes(host)))
    .map(([name]) => name);
  if (second !== undefined)
    throw new NacreError({
      code: "credential_conflict",
      subject,
      message: `the credentials ${first ?? ""} and ${second} are both for ${host}`,
      hint: "bind the endpoint to one of them: credential_binding: { provider: … }",
    });
  return first;
}

function resolved(spec: CredentialSpec | undefined): ResolvedCredential {
  return {
    ...(spec?.as === undefined ? {} : { as: spec.as }),
    for: spec?.for ?? [],
    ...(spec?.in === undefined ? {} : { in: spec.in }),
  };
}
