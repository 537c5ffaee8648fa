import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Host } from "./host.ts";
import { interleaved } from "./measure.ts";
import { nacre, runNode, well } from "./nacre.ts";
import { compared, type Bench, type Row } from "./report.ts";

const empty = fileURLToPath(new URL("empty-stack.ts", import.meta.url));

const blueprint = `apiVersion: nacre.dev/v1
kind: Blueprint
metadata: { name: bench, version: 1.0.0 }
agents:
  worker:
    command: [sleep, infinity]
    restart: always
`;

/** An `up` that finds nothing to do, whole, against the engine's own of a stack that has nothing in it. */
export const up: Bench = { name: "up", rows };

async function* rows(): AsyncGenerator<Row> {
  await using host = await Host.open();
  const { env, folder, state } = host;
  writeFileSync(join(folder, "blueprint.yaml"), blueprint);
  await well(nacre(["up", "-s", "bench"], env, folder));
  await well(runNode([empty, state, "create"], env, folder));
  const { ours, peer } = await interleaved(
    10,
    {
      ours: async () => {
        const { out, milliseconds } = await well(nacre(["up", "-s", "bench"], env, folder));
        if (!out.includes("nothing changed")) throw new Error(`up was no no-op: ${out}`);
        return milliseconds;
      },
      peer: async () => (await well(runNode([empty, state], env, folder))).milliseconds,
    },
    { warm: 1 },
  );
  yield compared("nacre up, nothing to do", ours, peer, {
    most: 2,
    note: "against the same engine's up of an empty stack through the same Automation API; both are whole processes",
  });
}
