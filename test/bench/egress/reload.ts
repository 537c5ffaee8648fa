import type { Network } from "../../../lib/egress/protocol.ts";
import { p95 } from "../measure.ts";
import { spread, type Bench, type Row } from "../report.ts";
import { load, type Load, loadProgram } from "./load.ts";
import { origin } from "./origin.ts";
import { first, host, policy, ports } from "./rules.ts";
import { Stage } from "./stage.ts";

const rounds = 60;
const goal = 50;
const tunnels = 100;
const connections = 32;
const other = { name: "other.example.com", address: "93.184.216.35" };

/** From a `network` command to what it changes, while tunnels are open and requests go on. */
export const reload: Bench = { name: "reload", rows };

interface Series {
  readonly told: number[];
  readonly seen: number[];
}

async function* rows(): AsyncGenerator<Row> {
  const closing = policy;
  const opening = { ...policy, other: { endpoints: [{ host: other.address, port: first.port }] } };
  await using stage = await Stage.open(opening);
  const server = await origin(stage);
  await using kept = stage.client("agent");
  await using dropped = stage.client("agent");
  await using prober = stage.client("agent");
  await stage.egress.next("loaded");
  const marked = tunnels / 10;
  await kept.ask(`hold ${first.address} ${first.port} ${tunnels - marked}`);
  const what = { where: "agent", to: `http://${host}:${ports.http}`, prefix: "", port: ports.http } as const;
  const stop = new AbortController();
  const working = underLoad(stage, what, stop.signal);
  working.catch(() => undefined);
  const [opened, refused, closed] = [series(), series(), series()];
  try {
    let revision = 1;
    for (let round = -3; round < rounds; round++) {
      const into = (of: Series): Series => (round < 0 ? series() : of);
      await dropped.ask(`hold ${other.address} ${first.port} ${marked}`);
      await dropped.ask("closed 0");
      await prober.ask(`until ${other.address} ${first.port} refused`);
      const gone = dropped.next();
      await change(stage, (revision += 1), closing, [
        [prober.next(), into(refused)],
        [gone, into(closed)],
      ]);
      await prober.ask(`until ${other.address} ${first.port} byte`);
      await change(stage, (revision += 1), opening, [[prober.next(), into(opened)]]);
      await Promise.race([working, Promise.resolve()]);
    }
  } finally {
    stop.abort();
  }
  const rate = await working;
  const held = await kept.ask("held");
  if (held !== String(tunnels - marked))
    throw new Error(`${held} of ${tunnels - marked} allowed tunnels live on`);
  const note = `${tunnels} tunnels open, ${connections} connections with ${Math.round(rate)} requests/s meanwhile, none lost; the peer is until the egress says loaded; ratio of the p95s; ${rounds} of each; ${loadProgram()}, ${server}`;
  yield row("reload to enforced: a connection that it opens", opened, note);
  yield row("reload to enforced: a connection that it denies", refused, note);
  yield row(`reload to enforced: the last of ${marked} tunnels that it denies is closed`, closed, note);
}

const series = (): Series => ({ told: [], seen: [] });

async function change(
  stage: Stage,
  revision: number,
  base: object,
  waits: readonly (readonly [Promise<string>, Series])[],
): Promise<void> {
  const network = { revision, base: base as Network["base"], allows: [], blocks: [] };
  const began = process.hrtime.bigint();
  stage.egress.send({ type: "network", network });
  const loaded = await stage.egress.next("loaded");
  const told = Number(process.hrtime.bigint() - began) / 1e6;
  if (loaded.revision !== revision) throw new Error(`revision ${loaded.revision} came for ${revision}`);
  for (const [wait, into] of waits) {
    into.seen.push(Number(BigInt(await wait) - began) / 1e6);
    into.told.push(told);
  }
}

/** One load after the other until it is stopped; how many requests a second there were. */
async function underLoad(
  stage: Stage,
  what: Omit<Load, "connections" | "seconds">,
  stop: AbortSignal,
): Promise<number> {
  let [sum, count] = [0, 0];
  while (!stop.aborted) {
    const { rate } = await load(stage, stage.egress.child.pid ?? 0, { ...what, connections, seconds: 2 });
    sum += rate;
    count += 1;
  }
  return sum / count;
}

function row(what: string, { seen, told }: Series, note: string): Row {
  return {
    what,
    ours: spread(seen),
    peer: spread(told),
    ratio: p95(seen) / p95(told),
    goal: `p95 ≤ ${goal} ms`,
    met: p95(seen) <= goal,
    note,
  };
}
