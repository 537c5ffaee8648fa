import { agentSpec } from "../host/specs.ts";
import { Host } from "./host.ts";
import { interleaved } from "./measure.ts";
import { Network } from "./network.ts";
import { compared, type Bench, type Row } from "./report.ts";
import { Client } from "./rounds.ts";

const rounds = 200;

/** What capture costs: from `connect` to the first byte of a server that speaks first. */
export const connect: Bench = { name: "connect", rows };

async function* rows(): AsyncGenerator<Row> {
  await using network = await Network.make();
  await using host = await Host.open(network.enter);
  const endpoints = ["allowed.example.com", "93.184.216.34"].map((name) => ({ host: name, port: 7000 }));
  await host.create(agentSpec({ network: { servers: { endpoints } } }));
  await using captured = Client.inside(await host.entry("dev/assistant"), "client.ts");
  await using direct = Client.outside(network.enter, "client.ts");
  for (const [what, name] of [
    ["captured connect to first byte", "93.184.216.34"],
    ["the same by name, lookup included", "allowed.example.com"],
  ] as const) {
    const { ours, peer } = await interleaved(rounds, {
      ours: () => once(captured, name),
      peer: () => once(direct, name),
    });
    yield compared(what, ours, peer, {
      note: `against a connection without a sandbox to the same server, one veth away: no network adds its own time; ${rounds} of each in turns`,
    });
  }
}

async function once(client: Client, name: string): Promise<number> {
  const [time, what] = (await client.ask(`once ${name} 7000`)).split(" ");
  if (what !== "byte") throw new Error(`the connection to ${name} was ${what ?? "nothing"}`);
  return Number(time);
}
