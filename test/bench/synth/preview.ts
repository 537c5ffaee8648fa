import { megabytes, milliseconds, type Bench, type Row } from "../report.ts";
import { growth } from "./synthesis.ts";
import { cpuOf, sandboxes, shown, take } from "./take.ts";
import type { Taken } from "./measured.ts";

/** What the order, the component and the synthesis may cost beside registering the same objects by hand. */
const MOST = 1.5;

/** The first preview through the real engine, of a stand-in for the provider that asks no cluster. */
export const preview: Bench = { name: "preview", rows };

async function* rows({ quick }: { readonly quick: boolean }): AsyncGenerator<Row> {
  const all: [number, Taken][] = [];
  for (const size of quick ? [2, 10] : [10, 100, 1000]) {
    const { preview: ours, "plain preview": peer } = await take(["preview", "plain preview"], size, 1);
    all.push([size, ours]);
    const ratio = cpuOf(ours) / cpuOf(peer);
    yield {
      what: `preview, ${sandboxes(size)}`,
      ours: shown(ours),
      peer: shown(peer),
      ratio,
      goal: `≤ ${MOST}x`,
      met: ratio <= MOST,
      note:
        `${ours.objects.toLocaleString("en")} objects; ${milliseconds(ours.milliseconds)} by the clock, peer ${milliseconds(peer.milliseconds)}; ` +
        `the program ${milliseconds(ours.cpu)} of CPU and ${megabytes(ours.resident)} resident, peer ${milliseconds(peer.cpu)} and ` +
        `${megabytes(peer.resident)}; the rest is the engine and the provider`,
    };
  }
  yield growth("preview", all);
}
