import { expect, test } from "vitest";
import { pendingCreatesOf, withPendingCreates } from "../../lib/pulumi/pending.ts";

const urn = (kind: string) => `urn:pulumi:dev::nacre::nacre:host:${kind}::dev`;
const kept = { urn: urn("Machine"), id: "m", inputs: {}, refreshBeforeUpdate: true };
const creating = (kind: string, inputs: Record<string, unknown>) => ({
  type: "creating",
  resource: { urn: urn(kind), custom: true, provider: "p", inputs },
});
const identity = { environment: "dev", name: "assistant" };

test("an interrupted creation is recorded under the id that it must have, to be read first", () => {
  const deployment = {
    manifest: { version: "3" },
    resources: [kept],
    pending_operations: [creating("Sandbox", identity)],
  };
  expect(pendingCreatesOf(deployment)).toEqual([urn("Sandbox")]);
  expect(withPendingCreates(deployment)).toEqual({
    manifest: { version: "3" },
    resources: [
      kept,
      {
        urn: urn("Sandbox"),
        custom: true,
        provider: "p",
        id: "dev/assistant",
        inputs: identity,
        outputs: identity,
        refreshBeforeUpdate: true,
      },
    ],
    pending_operations: [],
  });
});

test("what is recorded already, is claimed anew or was no creation is not recorded twice", () => {
  const updating = { ...creating("Workspace", identity), type: "updating" };
  const deployment = {
    resources: [kept],
    pending_operations: [creating("Machine", identity), creating("Other", { environment: "dev" }), updating],
  };
  expect(withPendingCreates(deployment)).toEqual({ resources: [kept], pending_operations: [] });
});
