import { agentSpec } from "../host/specs.ts";
import { Host } from "./host.ts";
import { interleaved } from "./measure.ts";
import { Network } from "./network.ts";
import { compared, type Bench, type Row } from "./report.ts";
import { Client } from "./rounds.ts";

const rounds = 200;
const name = "allowed.example.com";
const address = "93.184.216.34";

/** What capture costs: from `connect` to the first byte of a server that speaks first. */
export const connect: Bench = { name: "connect", rows };

async function* rows(): AsyncGenerator<Row> {
  await using network = await Network.make();
  await using host = await Host.open(network.enter);
  const endpoints = [name, address].map((each) => ({ host: each, port: 7000 }));
  await host.create(agentSpec({ network: { servers: { endpoints } } }));
  await using captured = Client.inside(await host.entry("dev/assistant"), "client.ts");
  await using direct = Client.outside(network.enter, "client.ts");
  const times = await interleaved(rounds, {
    captured: () => once(captured, address),
    direct: () => once(direct, address),
    capturedByName: () => once(captured, name),
    directByName: () => once(direct, name),
  });
  const note = `against a connection without a sandbox to the same server, one veth away: no network adds its own time; ${rounds} of each in turns`;
  yield compared("captured connect to first byte", times.captured, times.direct, { note });
  yield compared("the same by name, lookup included", times.capturedByName, times.directByName);
}

async function once(client: Client, name: string): Promise<number> {
  const [time, what] = (await client.ask(`once ${name} 7000`)).split(" ");
  if (what !== "byte") throw new Error(`the connection to ${name} was ${what ?? "nothing"}`);
  return Number(time);
}
