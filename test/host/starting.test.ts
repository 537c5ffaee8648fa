import { expect, test } from "vitest";
import { machine } from "./machine.ts";
import { agentSpec } from "./specs.ts";

test("while its kit is being installed, a sandbox is starting, and nothing of it is said to have ended", async () => {
  // An address for documentation (RFC 5737): nobody answers there.
  const host = machine("root", { npm_config_registry: "https://192.0.2.1" });
  const agent = { kind: "kit", kit: "openclaw", version: "2026.9.6" } as const;
  const spec = agentSpec({ agent, ports: [{ inside: 18789, outside: 0 }] });
  const { project, environment, name } = spec;
  await host.call("workspace.create", { spec: { project, environment, name } });
  const { promise: installing, resolve, reject } = Promise.withResolvers<string>();
  host
    .call("sandbox.create", { spec }, ({ message }) => {
      if (message.includes("installing from")) resolve(message);
    })
    .then(() => reject(new Error("it is made")), reject);
  await installing;
  const [status] = await host.call("status", { id: "dev/assistant" });
  expect(status).toMatchObject({ phase: "starting", generation: 1, init: null });
  expect(status?.problems).toEqual([expect.stringMatching(/^it is being started; a kit /)]);
});
