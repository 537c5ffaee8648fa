import type { Bench, Row } from "../report.ts";
import { loadProgram } from "./load.ts";
import { mitmproxy } from "./mitmproxy.ts";
import { origin } from "./origin.ts";
import { host, ports } from "./rules.ts";
import { Stage } from "./stage.ts";
import { type Contender, inTurns, rateRow } from "./throughput.ts";

const least = 5;

/** HTTP/1.1 in TLS that is ended, decided and begun anew. */
export const tls: Bench = { name: "tls", rows };

async function* rows(): AsyncGenerator<Row> {
  await using stage = await Stage.open();
  const server = await origin(stage);
  const peer = await mitmproxy(stage);
  const nacre: Contender = {
    name: "nacre",
    pid: stage.egress.child.pid ?? 0,
    load: { where: "agent", to: `https://${host}:${ports.https}`, prefix: "", port: ports.https },
  };
  for (const connections of [1, 32]) {
    const what = `TLS-inspected HTTP/1.1, ${connections} connection${connections === 1 ? "" : "s"}, against ${peer.name}`;
    if ("why" in peer) {
      yield { what, ours: "left out", note: peer.why };
      continue;
    }
    const { name, pid } = peer;
    const to = `https://localhost:${peer.port}`;
    const other: Contender = { name, pid, load: { where: "egress", to, prefix: "", port: ports.https } };
    const carried = await inTurns(stage, [nacre, other], connections);
    const goal = connections === 1 ? undefined : least;
    const row = rateRow(what, carried.get("nacre") ?? [], carried.get(name) ?? [], goal);
    yield {
      ...row,
      note: `${row.note ?? ""}; the peer as a reverse proxy without rules or log; ${loadProgram()}, ${server}`,
    };
  }
}
