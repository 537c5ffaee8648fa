import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { HostSandbox } from "../../lib/synth/host-objects.ts";
import { agentSpec } from "../host/specs.ts";
import { Host } from "./host.ts";
import { megabytes, type Bench, type Row } from "./report.ts";

const goal = 150e6;
const further = 3;
/** Time for what a start has left behind to be given back. */
const settling = 3000;

/** What Nacre takes beside an agent: daemon, egress (with the privacy router in it), launcher and init. */
export const memory: Bench = { name: "memory", rows };

async function* rows(): AsyncGenerator<Row> {
  await using host = await Host.open();
  const idle = spawn(process.execPath, ["-e", "setInterval(() => undefined, 1e6)"], { stdio: "ignore" });
  try {
    await host.create(idleAgent("first"));
    await sleep(settling);
    const peer = sharing([idle.pid ?? 0]);
    const one = await beside(host);
    yield {
      what: "memory: daemon, egress, router, init",
      ours: megabytes(one.pss),
      peer: megabytes(peer.pss),
      ratio: one.pss / peer.pss,
      goal: "< 150 MB",
      met: one.pss < goal,
      note:
        `PSS beside one idle command; the peer is one idle Node. ${megabytes(one.alone)} if nothing else on the ` +
        `machine shared a page with them (${one.parts})`,
    };
    for (let count = 0; count < further; count++) await host.create(idleAgent(`further-${count}`));
    await sleep(settling);
    const more = await beside(host);
    const each = (more.pss - one.pss) / further;
    yield {
      what: "memory: each further sandbox",
      ours: megabytes(each),
      peer: megabytes(peer.pss),
      ratio: each / peer.pss,
      note: `${further} more, PSS; ${megabytes((more.alone - one.alone) / further)} if nothing else shared a page with them`,
    };
  } finally {
    idle.kill("SIGKILL");
  }
}

const idleAgent = (name: string): HostSandbox =>
  agentSpec({
    name,
    workspace: `dev/${name}`,
    inference: {
      route: { try: ["demo"], timeoutSeconds: 60 },
      providers: { demo: { kind: "demo", model: "demo", trusted: true } },
    },
  });

interface Taken {
  readonly pss: number;
  /** Each file page once, each anonymous page: what these processes would take on a machine of their own. */
  readonly alone: number;
  readonly parts: string;
}

async function beside({ client }: Host): Promise<Taken> {
  const { pid: daemon } = await client.call("hello", {});
  const all = await client.call("status", {});
  const agents = new Set(all.map(({ agent }) => agent?.pid));
  const inits = all.flatMap(({ init }) => (init === null ? [] : [init.pid]));
  const ours = [daemon, ...descendants(daemon), ...inits];
  return sharing([...new Set(ours)].filter((pid) => !agents.has(pid)));
}

function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
    .split(" ")
    .filter(Boolean)
    .map(Number);
  return children.flatMap((child) => [child, ...descendants(child)]);
}

function sharing(pids: readonly number[]): Taken {
  const files = new Map<string, number>();
  let [pss, anonymous] = [0, 0];
  const parts: string[] = [];
  for (const pid of pids) {
    const own = sumOf(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"), "Pss");
    pss += own;
    parts.push(`${readFileSync(`/proc/${pid}/comm`, "utf8").trim()} ${megabytes(own)}`);
    for (const mapping of readFileSync(`/proc/${pid}/smaps`, "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
      const private_ = sumOf(mapping, "Anonymous");
      anonymous += private_;
      const [head = ""] = mapping.split("\n");
      const [range, , offset, device, inode, path = ""] = head.split(/\s+/);
      if (!path.startsWith("/")) continue;
      const key = `${device} ${inode} ${offset} ${range?.length ?? 0}`;
      files.set(key, Math.max(files.get(key) ?? 0, sumOf(mapping, "Rss") - private_));
    }
  }
  const shared = [...files.values()].reduce((sum, size) => sum + size, 0);
  return { pss, alone: anonymous + shared, parts: parts.join(", ") };
}

/** Bytes of every line of one field of smaps(5). */
const sumOf = (smaps: string, field: string): number =>
  [...smaps.matchAll(new RegExp(`^${field}:\\s+(\\d+) kB$`, "gm"))].reduce(
    (sum, [, kb]) => sum + Number(kb) * 1024,
    0,
  );
