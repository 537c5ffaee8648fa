import { expect, test } from "vitest";
import { machineKind } from "../../lib/provider/machine-kind.ts";
import { sandboxKind } from "../../lib/provider/sandbox-kind.ts";
import type { Machine } from "../../lib/provider/machine.ts";
import { sandbox, sent } from "./specs.ts";

const call = { urn: "urn:x", name: "assistant", log: () => undefined, signal: new AbortController().signal };
const recorded = { id: "dev/assistant", inputs: sent(), outputs: { ...sent(), machine: "here" } };

test("a sandbox that does not run is a problem, also where its machine names none", async () => {
  const reading = {
    spec: sandbox(),
    running: false,
    generation: 1,
    published: [],
    problems: [],
    live: [],
    conflicts: [],
  };
  const machine = {
    identity: () => Promise.resolve("here"),
    findSandbox: () => Promise.resolve(reading),
  } as unknown as Machine;
  expect(await sandboxKind(machine).read(recorded, call)).toMatchObject({ problems: ["it is stopped"] });
});

test("an environment of another machine is neither updated nor deleted from here", async () => {
  const kind = machineKind({ identity: () => Promise.resolve("here") } as unknown as Machine);
  const spec = { project: "nacre", environment: "dev" };
  const there = { id: "elsewhere", inputs: spec, outputs: { ...spec, machine: "elsewhere" } };
  const wayOut = {
    code: "other_machine",
    hint: expect.stringContaining("nacre forget --machine elsewhere") as string,
  };
  await expect(kind.delete(there, call)).rejects.toMatchObject(wayOut);
  await expect(kind.update(there, spec, call)).rejects.toMatchObject(wayOut);
});
