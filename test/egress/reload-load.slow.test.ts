import fs from "node:fs";
import readline from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Network } from "../../lib/egress/protocol.ts";
import type { Work } from "./reload-agent.ts";
import { type Held, Memory } from "./world/memory.ts";
import { type RunningEgress, World } from "./world/world.ts";

/** Seconds of reloads: a minute, or as many as are asked for (an hour: NACRE_SOAK=3600). */
const soak = Number(process.env["NACRE_SOAK"] ?? 60);
const program = new URL("reload-agent.ts", import.meta.url).pathname;

let world: World;
let memory: Memory;
let egress: RunningEgress;
let agent: Agent;
beforeAll(async () => {
  world = await World.make();
  memory = new Memory(world.folder);
  egress = await world.egress({ base: allowing }, {}, memory.options);
  await egress.next("loaded");
  agent = new Agent(world, {
    kept: { host: "allowed.example.com", count: 80 },
    marked: { host: "other.example.com", count: 20 },
    clients: Array.from({ length: 32 }, (_, index) =>
      index % 2 === 0
        ? { host: "api.example.com", port: 80, secure: false }
        : { host: "api.example.com", port: 8443, secure: true },
    ),
    authorities: fs.readFileSync(`${world.folder}/agent-ca.crt`, "utf8"),
  });
});
afterAll(async () => {
  await egress.stop();
  await world.stop();
});

const tunnels = (host: string): object => ({ endpoints: [{ host, port: 7000 }] });
const requests = (...more: object[]): object => ({
  endpoints: [
    {
      host: "api.example.com",
      ports: [80, 8443],
      protocol: "rest",
      rules: ["GET", "POST"].map((method) => ({ allow: { method, path: "/ok/**" } })).concat(more as never),
    },
  ],
});
const kept = tunnels("allowed.example.com");
const allowing = {
  kept,
  marked: tunnels("other.example.com"),
  api: requests(),
} as unknown as Network["base"];
/** The marked tunnels are denied; what else is allowed stays so, by rules of another name and number. */
const denying = {
  still: kept,
  requests: requests({ allow: { method: "GET", path: "/more/*" } }),
} as unknown as Network["base"];
const invalid = { broken: { endpoints: [{ host: "example.com" }] } } as unknown as Network["base"];

test(
  "an hour of reloads under load loses nothing that is allowed, leaves nothing that is denied, and keeps nothing",
  async () => {
    await agent.ask("start", "started");
    let end = performance.now() + soak * 1000;
    const first = performance.now() + Math.min(10_000, soak * 500);
    const enforced: number[] = [];
    let revision = 1;
    let before: Taken | undefined;
    while (performance.now() < end) {
      await agent.ask("watch", "watching");
      const at = process.hrtime.bigint();
      revision = await load(revision + 1, denying);
      const told = process.hrtime.bigint();
      const closed = BigInt(await agent.next("closed"));
      const last = told > closed ? told : closed;
      enforced.push(Number(last - at) / 1e6);
      egress.send({ type: "network", network: network(revision + 1, invalid) });
      expect(await egress.next("failed")).toMatchObject({ revision: revision + 1 });
      revision = await load(revision + 2, allowing);
      expect(await agent.ask("reopen", "open")).toBe("20");
      if (before === undefined && performance.now() > first) {
        const paused = performance.now();
        before = await settled();
        end += performance.now() - paused;
      }
    }
    const after = await settled();
    const answered = Number(await agent.ask("pause", "paused"));
    expect(await agent.ask("finish", "finished")).toBe("80");
    expect(agent.losses).toEqual([]);
    enforced.sort((a, b) => a - b);
    const p95 = enforced[Math.floor(enforced.length * 0.95)] ?? NaN;
    const figures = { reloads: revision, answered, p50: enforced[enforced.length >> 1], p95, before, after };
    process.stderr.write(`reloads under load: ${JSON.stringify(figures)}\n`);
    // The goal is 50 ms. A machine that does other things too is given more.
    expect(p95).toBeLessThan(1000);
    expect(after.descriptors).toBeLessThanOrEqual((before?.descriptors ?? 0) + 8);
    expect(after.heap - (before?.heap ?? 0)).toBeLessThan(4 * mebibyte);
    expect(after.resident).toBeLessThanOrEqual((before?.resident ?? 0) * 1.25 + 16 * mebibyte);
  },
  (soak + 240) * 1000,
);

test("a reload leaves nothing behind: neither one that is taken nor one that is refused", async () => {
  let revision = 1_000_000;
  const each: readonly [Network["base"], "loaded" | "failed"][] = [
    [allowing, "loaded"],
    [invalid, "failed"],
    [denying, "loaded"],
  ];
  const reload = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time++) {
      for (const [base] of each) egress.send({ type: "network", network: network((revision += 1), base) });
      for (const [, outcome] of each) await egress.next(outcome);
    }
  };
  // Until the code is compiled and the allocators have what they need.
  await reload(5_000);
  const before = await memory.of(egress.child);
  await reload(10_000);
  const after = await memory.of(egress.child);
  const [heap, resident] = [after.heap - before.heap, after.resident - before.resident];
  process.stderr.write(`30000 reloads: ${JSON.stringify({ before, after })}\n`);
  // 500 bytes each would be 15 MB. What there is comes from code that is compiled, and does not grow with the number.
  expect(heap).toBeLessThan(2 * mebibyte);
  expect(resident).toBeLessThan(8 * mebibyte);
}, 240_000);

const mebibyte = 2 ** 20;

const network = (revision: number, base: Network["base"]): Network => ({
  revision,
  base,
  allows: [],
  blocks: [],
});

async function load(revision: number, base: Network["base"]): Promise<number> {
  egress.send({ type: "network", network: network(revision, base) });
  expect(await egress.next("loaded")).toMatchObject({ revision });
  return revision;
}

interface Taken extends Held {
  readonly descriptors: number;
}

/** What the egress holds once it has had time to let go of what it does not need: the least of fifteen seconds without a request. */
async function settled(): Promise<Taken> {
  await agent.ask("pause", "paused");
  const taken: Taken[] = [];
  for (let second = 0; second < 15; second++) {
    await sleep(1000);
    const held = await memory.of(egress.child);
    taken.push({ ...held, descriptors: fs.readdirSync(`/proc/${egress.child.pid ?? 0}/fd`).length });
  }
  await agent.ask("resume", "resumed");
  const least = (of: keyof Taken): number => Math.min(...taken.map((each) => each[of]));
  return { heap: least("heap"), resident: least("resident"), descriptors: least("descriptors") };
}

/** The other end of `reload-agent.ts`. */
class Agent {
  readonly losses: string[] = [];
  readonly #send: (line: string) => void;
  readonly #heard: string[] = [];
  #wake = (): void => undefined;

  constructor(of: World, work: Work) {
    const file = `${of.folder}/work.json`;
    fs.writeFileSync(file, JSON.stringify(work));
    const child = of.start(`exec '${process.execPath}' '${program}' "$(cat '${file}')"`);
    this.#send = (line) => void child.stdin?.write(`${line}\n`);
    readline.createInterface({ input: child.stdout as Readable }).on("line", (line) => {
      if (line.startsWith("lost ")) this.losses.push(line);
      else this.#heard.push(line);
      this.#wake();
    });
    child.once("exit", (code) => {
      if (code !== 0) this.losses.push(`the agent ended with ${code ?? "a signal"}`);
      this.#wake();
    });
  }

  /** Says a line, and waits for the one that starts with `answer`; its second word. */
  ask(line: string, answer: string): Promise<string> {
    this.#send(line);
    return this.next(answer);
  }

  async next(answer: string): Promise<string> {
    for (;;) {
      const at = this.#heard.findIndex((line) => line.split(" ", 1)[0] === answer);
      if (at >= 0) return this.#heard.splice(at, 1)[0]?.split(" ")[1] ?? "";
      // Nothing that was lost comes back: better now than after an hour.
      expect(this.losses).toEqual([]);
      const { promise, resolve, reject } = Promise.withResolvers<undefined>();
      this.#wake = () => resolve(undefined);
      const late = setTimeout(() => reject(new Error(`the agent did not say ${answer}`)), 60_000);
      await promise.finally(() => clearTimeout(late));
    }
  }
}
