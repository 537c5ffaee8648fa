import type { Bench, Row } from "../report.ts";
import { loadProgram } from "./load.ts";
import { origin } from "./origin.ts";
import { plainNode, squid, tinyproxy } from "./peers.ts";
import { host, ports } from "./rules.ts";
import { Stage } from "./stage.ts";
import { type Contender, inTurns, rateRow } from "./throughput.ts";

const least = 0.7;

/** HTTP in the clear, each request decided by method and path. */
export const http: Bench = { name: "http", rows };

async function* rows(): AsyncGenerator<Row> {
  await using stage = await Stage.open();
  const server = await origin(stage);
  const peers = [await squid(stage), await tinyproxy(stage), await plainNode(stage)];
  const authority = `${host}:${ports.http}`;
  const nacre: Contender = {
    name: "nacre",
    pid: stage.egress.child.pid ?? 0,
    load: { where: "agent", to: `http://${authority}`, prefix: "", port: ports.http },
  };
  const others = peers.flatMap((peer): Contender[] => {
    if ("why" in peer) return [];
    const to = `http://127.0.0.1:${peer.port}`;
    const { name, pid, closes } = peer;
    const prefix = `http://${authority}`;
    return [{ name, pid, load: { where: "egress", to, prefix, port: ports.http, closes } }];
  });
  for (const connections of [1, 32]) {
    const carried = await inTurns(stage, [nacre, ...others], connections);
    for (const peer of peers) {
      const what = `HTTP with rules, ${connections} connection${connections === 1 ? "" : "s"}, against ${peer.name}`;
      if ("why" in peer) {
        yield { what, ours: "left out", note: peer.why };
        continue;
      }
      const goal = peer.name.startsWith("squid") ? least : undefined;
      const row = rateRow(what, carried.get("nacre") ?? [], carried.get(peer.name) ?? [], goal);
      yield { ...row, note: `${row.note ?? ""}; ${loadProgram()}, ${server}` };
    }
  }
}
