import { expect, test } from "vitest";
import { boundAs } from "../../lib/host/bound-hosts.ts";
import type { Endpoint, NetworkPolicies } from "../../lib/policy/language.ts";

const rest = (more: Partial<Endpoint> = {}): Endpoint => ({
  ...{ host: "api.example.com", ports: [443], protocol: "rest", access: "read-only", enforcement: "enforce" },
  ...more,
});
const of = (...endpoints: Endpoint[]): NetworkPolicies => ({ api: { endpoints } });
const binding = { provider: "api" };
const spec = {
  network: of(rest({ credential_binding: binding })),
  credentials: { api: { as: "API_TOKEN" } },
};
const bindings = (described: typeof spec, ...endpoints: Endpoint[]) =>
  boundAs(described, of(...endpoints), "sandbox dev/assistant")["api"]?.endpoints.map(
    ({ credential_binding: bound }) => bound,
  );

test("a policy that says nothing of credentials is bound where the blueprint's endpoints are", () => {
  expect(bindings(spec, rest(), rest({ path: "/a/**" }))).toEqual([binding, binding]);
  expect(bindings(spec, rest({ host: "other.example.com" }), rest({ ports: [8443] }))).toEqual([
    undefined,
    undefined,
  ]);
});

test("what a policy says itself stays, and so does what the blueprint left to it", () => {
  const own = { provider: "other" };
  expect(bindings(spec, rest({ credential_binding: own }))).toEqual([own]);
  const partly = { ...spec, network: of(rest({ credential_binding: binding }), rest({ path: "/a/**" })) };
  expect(bindings(partly, rest())).toEqual([undefined]);
  const placed = { ...spec, network: of(rest({ credential_binding: { ...binding, in: { query: "key" } } })) };
  expect(bindings(placed, rest())).toEqual([undefined]);
});

test("a policy that would not look into such a host is refused", () => {
  const opaque: Endpoint = { host: "api.example.com", ports: [443], tls: "skip" };
  expect(() => bindings(spec, opaque)).toThrow(expect.objectContaining({ code: "credential_uninspected" }));
});
