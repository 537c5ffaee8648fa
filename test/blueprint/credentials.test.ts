import { expect, test } from "vitest";
import { credentialWarnings, parseBlueprint, resolve } from "../../lib/blueprint/index.ts";
import {
  bindCredentials,
  credentialFindings,
  credentialOf,
  refuseUnbound,
} from "../../lib/blueprint/credentials.ts";
import type { Endpoint, NetworkPolicies } from "../../lib/policy/language.ts";
import { catalogue, header, reading } from "./fixtures.ts";

const endpoint = (more: Partial<Endpoint> = {}): Endpoint => ({
  ...{ host: "api.example.com", ports: [443], protocol: "rest", access: "full" },
  ...more,
});
const of = (...endpoints: Endpoint[]): NetworkPolicies => ({ api: { endpoints } });
const to = (...hosts: string[]) => ({ key: { for: hosts } });
const refused = (code: string) => expect.objectContaining({ code }) as Error;

test("a credential is bound at its host and port, and nowhere else", () => {
  const network = of(endpoint({ ports: [443, 8443] }), endpoint({ host: "other.example.com" }));
  const boundTo = (host: string) =>
    bindCredentials(network, to(host), "agent a").network["api"]?.endpoints.flatMap(
      ({ host: name, ports, credential_binding: bound }) =>
        bound === undefined ? [] : [[name, ports, bound]],
    );
  expect(boundTo("api.example.com")).toEqual([["api.example.com", [443], { provider: "key" }]]);
  expect(boundTo("api.example.com:8443")).toEqual([["api.example.com", [8443], { provider: "key" }]]);
});

test("two credentials for one host, or one for a host that is never looked into, are refused", () => {
  const two = { a: { for: ["api.example.com"] }, b: { for: ["api.example.com:443"] } };
  expect(() => bindCredentials(of(endpoint()), two, "agent a")).toThrow(refused("credential_conflict"));
  const opaque: Endpoint[] = [
    { host: "api.example.com", ports: [443], tls: "skip" },
    { host: "api.example.com", ports: [443], protocol: "tcp" },
  ];
  for (const one of opaque)
    expect(() => bindCredentials(of(one), to("api.example.com"), "agent a")).toThrow(
      refused("credential_uninspected"),
    );
});

test("a credential for a host that only a pattern reaches is refused; one that nothing reaches is unused", () => {
  const check = (network: NetworkPolicies, ...hosts: string[]) => refuseUnbound(network, to(...hosts), "a");
  const wide = endpoint({ host: "*.example.com" });
  const unbound = refused("credential_unbound");
  expect(() => check(of(wide), "api.example.com")).toThrow(unbound);
  expect(() => check(of(wide, endpoint({ ports: [8443] })), "api.example.com")).toThrow(unbound);
  check(of(wide, endpoint()), "api.example.com");
  check(of(wide), "api.example.com:8443", "api.example.org");
});

test("a variable that steers programs, or that another credential has, is refused", () => {
  const reasons = (credentials: Record<string, { as: string; for: string[] }>): string[] =>
    credentialFindings(credentials, ["credentials"]).map(({ reason }) => reason);
  const one = (as: string) => ({ as, for: ["api.example.com"] });
  expect(reasons({ a: one("API_TOKEN"), b: one("OTHER_TOKEN") })).toEqual([]);
  expect(reasons({ a: one("API_TOKEN"), b: one("API_TOKEN") })).toEqual(["API_TOKEN is a's already"]);
  for (const name of ["PATH", "LD_PRELOAD", "NODE_OPTIONS", "GIT_SSH_COMMAND"])
    expect(reasons({ a: one(name) })).toEqual([`${name} steers programs, and would hold a placeholder`]);
});

test("a destination is the same one however it is written", () => {
  const written = ["API.example.com.", "api.example.com:0443", "api.example.com", "api.example.com:08443"];
  expect(credentialOf({ for: written }).for).toEqual(["api.example.com", "api.example.com:8443"]);
});

test("a name that no rule carries, and a prefix that runs into the credential, are warned of", () => {
  const warned = (credentials: string) => {
    const text = `${header}agents: { a: { kit: openclaw, presets: [telegram] } }\ncredentials: ${credentials}\n`;
    const blueprint = parseBlueprint(text, { file: "b.yaml", read: reading(), catalogue });
    return credentialWarnings(blueprint.agents, resolve(blueprint, catalogue));
  };
  expect(warned('{ telegram: { for: [api.telegram.org], in: { path: "/bot{}/" } } }')).toEqual([]);
  expect(warned("{ telegrm: { for: [api.telegram.org] } }")).toEqual([
    "credential telegrm: no rule carries it: none is for api.telegram.org, or it names another credential",
  ]);
  expect(
    warned("{ telegram: { for: [api.telegram.org], in: { header: authorization, prefix: Bearer } } }"),
  ).toEqual([
    'credential telegram: the prefix "Bearer" ends without a blank, and the credential follows at once',
  ]);
});
