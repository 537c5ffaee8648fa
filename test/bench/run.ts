import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { bubblewrapped } from "./launcher.ts";
import { Host } from "./host.ts";
import { interleaved } from "./measure.ts";
import { nacre, well } from "./nacre.ts";
import { compared, type Bench, type Row } from "./report.ts";

/** `nacre run -- true` whole: the command, the daemon's throw-away sandbox with its egress, and its end. */
export const run: Bench = { name: "run", rows };

async function* rows(): AsyncGenerator<Row> {
  await using host = await Host.open();
  const { env, folder } = host;
  const work = join(folder, "work"); // Not the home itself, which is refused.
  await mkdir(work);
  const { ours, peer, node } = await interleaved(15, {
    ours: async () => (await well(nacre(["run", "--", "true"], env, work))).milliseconds,
    peer: bubblewrapped,
    node: async () => (await well(nacre(["--version"], env, work))).milliseconds,
  });
  yield compared("nacre run -- true, whole", ours, peer, {
    note: "against bubblewrap, which has no network to offer; the daemon runs already",
  });
  yield compared("nacre run -- true, against nacre --version", ours, node);
}
