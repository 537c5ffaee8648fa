import { expect, test } from "vitest";
import { secretsFor } from "../../lib/host/egress-configure.ts";
import type { Operator, SecretEntry } from "../../lib/host/operator.ts";
import { sandboxSpec } from "./specs.ts";

const spec = sandboxSpec({
  network: {
    api: {
      endpoints: [{ host: "api.example.com", ports: [443], credential_binding: { provider: "key" } }],
    },
  },
});
const agreed: SecretEntry = { env: "KEY", for: ["api.example.com"], use: ["dev/assistant"] };
const operator = (entry: SecretEntry): Operator => ({
  ...{ file: "host.yaml", exists: true, grants: [], signers: [] },
  secrets: { key: entry, other: { ...agreed, env: "OTHER" } },
});
const handed = new Map([
  ["key", "the-value"],
  ["other", "of-nobody"],
]);

test("an egress is given the secrets that its sandbox names and may have, and none that the operator took away", async () => {
  expect(await secretsFor(spec, operator(agreed), handed)).toEqual({
    values: { key: "the-value" },
    lacking: [],
  });
  for (const taken of [
    { ...agreed, for: ["other.example.com"] },
    { ...agreed, for: ["api.example.com:8443"] },
    { ...agreed, use: ["dev/other"] },
    { ...agreed, use: ["prod/assistant"] },
  ]) {
    const { values, lacking } = await secretsFor(spec, operator(taken), handed);
    expect(values).toEqual({});
    expect(lacking).toHaveLength(1);
  }
});
