import type { ResultOf } from "../../lib/host/api.ts";
import { agentSpec } from "../host/specs.ts";
import { Host } from "./host.ts";
import { p95 } from "./measure.ts";
import { Network } from "./network.ts";
import { spread, type Bench, type Row } from "./report.ts";
import { Client } from "./rounds.ts";

const rounds = 40;
const tunnels = 100;
const goal = 50;
const id = "dev/assistant";
const based = "93.184.216.34";
const other = "93.184.216.35";

/** From a request to the daemon until a connection from inside is decided by it. */
export const enforce: Bench = { name: "enforce", rows };

interface Series {
  readonly seen: number[];
  readonly told: number[];
}

async function* rows(): AsyncGenerator<Row> {
  await using network = await Network.make();
  await using host = await Host.open(network.enter);
  await host.create(agentSpec({ network: { server: { endpoints: [{ host: based, port: 7000 }] } } }));
  await using inside = Client.inside(await host.entry(id), "client.ts");
  const { client } = host;
  const [allow, block, unblock] = [series(), series(), series()];
  for (let round = -2; round < rounds; round++) {
    const into = (of: Series): Series => (round < 0 ? series() : of);
    // An allow that ends by itself leaves the next round as this one was.
    await until(inside, other, "refused");
    await change(inside, other, "byte", into(allow), () =>
      client.call("allow", { id, what: { host: other, port: 7000 }, seconds: 0.4 }),
    );
    await change(inside, based, "refused", into(block), () =>
      client.call("block", { id, what: { host: based } }),
    );
    await change(inside, based, "byte", into(unblock), () =>
      client.call("unblock", { id, what: { host: based } }),
    );
  }
  const [opened, closed] = [series(), series()];
  await using kept = Client.inside(await host.entry(id), "client.ts");
  await kept.ask(`hold ${based} 7000 ${tunnels}`);
  const base = { server: { endpoints: [{ host: based, port: 7000 }] } };
  const more = { ...base, other: { endpoints: [{ host: other, port: 7000 }] } };
  for (let round = -2; round < rounds; round++) {
    const into = (of: Series): Series => (round < 0 ? series() : of);
    await change(inside, other, "byte", into(opened), () => client.call("policy.set", { id, network: more }));
    await change(inside, other, "refused", into(closed), () =>
      client.call("policy.set", { id, network: base }),
    );
  }
  const held = await kept.ask("held");
  if (held !== String(tunnels)) throw new Error(`${held} of ${tunnels} tunnels that were allowed live on`);
  yield row("allow to enforced", allow);
  yield row("block to enforced", block);
  yield row("unblock to enforced", unblock);
  yield row(`policy set, opening, over ${tunnels} tunnels`, opened);
  yield row(`policy set, closing, over ${tunnels} tunnels`, closed);
}

const series = (): Series => ({ seen: [], told: [] });

/** Connections go on, one after another, while it is asked for; the first that ends as `wanted` was decided by it. */
async function change(
  inside: Client,
  host: string,
  wanted: "byte" | "refused",
  { seen, told }: Series,
  ask: () => Promise<Pick<ResultOf<"block">, "enforcedMs">>,
): Promise<void> {
  await inside.ask(`until ${host} 7000 ${wanted}`);
  const began = process.hrtime.bigint();
  const [{ enforcedMs }, line] = await Promise.all([ask(), inside.next()]);
  const [at = "0", count] = line.split(" ");
  if (BigInt(at) < began)
    throw new Error(`${host} was ${wanted} before it was asked for, at attempt ${count ?? "?"}`);
  seen.push(Number(BigInt(at) - began) / 1e6);
  told.push(enforcedMs);
}

async function until(inside: Client, host: string, wanted: string): Promise<void> {
  await inside.ask(`until ${host} 7000 ${wanted}`);
  await inside.next();
}

function row(what: string, { seen, told }: Series): Row {
  return {
    what,
    ours: spread(seen),
    peer: spread(told),
    ratio: p95(seen) / p95(told),
    goal: `p95 ≤ ${goal} ms`,
    met: p95(seen) <= goal,
    note:
      `until a connection from inside ended by the new decision, that connection included, while connections are made ` +
      `without a pause; the peer is what the daemon says (enforcedMs), synced to disk; the ratio is of the p95s; ${rounds} of each`,
  };
}
