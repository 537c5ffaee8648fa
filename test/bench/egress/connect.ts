import { interleaved, type Measured, quantile } from "../measure.ts";
import { milliseconds, type Bench, type Row } from "../report.ts";
import { plainNode, squid, tinyproxy } from "./peers.ts";
import { first } from "./rules.ts";
import { Stage } from "./stage.ts";

const rounds = 400;
const warm = 150;
const most = 1.5;

/** From connect to the first byte of a server that speaks first: what the agent waits for every new connection. */
export const connect: Bench = { name: "connect", rows };

async function* rows(): AsyncGenerator<Row> {
  await using stage = await Stage.open();
  const peers = [await squid(stage), await tinyproxy(stage), await plainNode(stage)];
  await using clients = new AsyncDisposableStack();
  // Each has a client of its own: one that asks for several would be warmer than one that asks for one.
  const asking = (where: "agent" | "egress", ask: string): Measured => {
    const client = clients.use(stage.client(where));
    return async () => {
      const took = Number(await client.ask(ask));
      if (Number.isNaN(took)) throw new Error(`${ask}: no byte came`);
      return took;
    };
  };
  await using resolver = stage.client("agent");
  const resolved = await resolver.ask(`address ${first.name}`);
  const ways = [
    { what: "by name", dialled: resolved, told: first.name },
    { what: "by address", dialled: first.address, told: first.address },
  ];
  // All in the same rounds: what else the machine does meets all alike.
  const contenders: Record<string, Measured> = {
    direct: asking("egress", `once ${first.address} ${first.port}`),
  };
  for (const { what, dialled, told } of ways) {
    contenders[`nacre ${what}`] = asking("agent", `once ${dialled} ${first.port}`);
    for (const peer of peers)
      if (!("why" in peer))
        contenders[`${peer.name} ${what}`] = asking("egress", `through ${peer.port} ${told} ${first.port}`);
  }
  const times = await interleaved(rounds, contenders, { order: "random", warm });
  for (const { what } of ways) {
    const ours = times[`nacre ${what}`] ?? [];
    for (const peer of peers) {
      const name = `captured connect to first byte, ${what}, against CONNECT of ${peer.name}`;
      if ("why" in peer) yield { what: name, ours: "left out", note: peer.why };
      else yield row(name, ours, times[`${peer.name} ${what}`] ?? [], peer.name.startsWith("squid"));
    }
    yield row(`the same, ${what}, against no proxy at all`, ours, times["direct"] ?? [], false);
  }
}

function row(what: string, ours: readonly number[], peer: readonly number[], isGoal: boolean): Row {
  const ratio = quantile(ours, 0.5) / quantile(peer, 0.5);
  return {
    what,
    ours: shown(ours),
    peer: shown(peer),
    ratio,
    ...(isGoal ? { goal: `≤ ${most}x`, met: ratio <= most } : {}),
    note: `p50 (p99); ratio of the p50s, of the p99s ${(quantile(ours, 0.99) / quantile(peer, 0.99)).toFixed(2)}x; ${rounds} of each, in random order`,
  };
}

const shown = (samples: readonly number[]): string =>
  `${milliseconds(quantile(samples, 0.5))} (${milliseconds(quantile(samples, 0.99))})`;
