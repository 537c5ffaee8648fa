import { fileURLToPath } from "node:url";
import { ask as askAgent } from "../../lib/host/ask.ts";
import { Host } from "./host.ts";
import { interleaved, median, timed } from "./measure.ts";
import { nacre, well } from "./nacre.ts";
import { compared, type Bench, type Row } from "./report.ts";
import { Client } from "./rounds.ts";

const rounds = 15;
const most = 200;
const id = "bench/assistant";
const question = "hello";
const example = fileURLToPath(new URL("../../stacks/blueprint.yaml", import.meta.url));

/** What asking costs beside the agent's own turn. It needs the OpenClaw kit: 650 MB the first time. */
export const ask: Bench = { name: "ask", rows };

async function* rows(): AsyncGenerator<Row> {
  await using host = await Host.open();
  const { client, env, folder } = host;
  await well(nacre(["up", "-s", "bench", "-b", example], env, folder));
  const connection = await client.call("agent.connection", { id });
  await using own = Client.inside(await host.entry(id), "agent-turn.ts");
  await own.ask(connection.token);
  const turn = async (): Promise<number> => {
    const [time = "", ...said] = (await own.ask(question)).split(" ");
    if (said[0] !== "answered") throw new Error(`the agent's server said ${said.join(" ")}`);
    return Number(time);
  };
  const times = await interleaved(rounds, {
    own: turn,
    asked: () => timed(() => askAgent(connection, question)),
    command: async () =>
      (await well(nacre(["ask", "-s", "bench", "assistant", "--session", "command", question], env, folder)))
        .milliseconds,
  });
  yield over("ask against OpenClaw's own turn", times.asked, times.own);
  yield over("nacre ask, the whole command", times.command, times.own);
}

function over(what: string, ours: readonly number[], peer: readonly number[]): Row {
  const added = median(ours) - median(peer);
  return {
    ...compared(what, ours, peer),
    goal: `+ ≤ ${most} ms`,
    met: added <= most,
    note: `${added.toFixed(0)} ms over the same question put to OpenClaw's server from beside it; ${rounds} of each in turns`,
  };
}
