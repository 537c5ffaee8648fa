import type { Readable } from "node:stream";
import type { Entry, SandboxStatus } from "./api.ts";
import { inside } from "./inside.ts";
import { spawnLauncher } from "./launcher.ts";
import {
  limitNames,
  limitsOf,
  namespaceNames,
  readProcess,
  statusFields,
  statusOf,
  type ProcessReading,
} from "./process-reading.ts";

/** Programs of the read-only system say what the kernel says of themselves; each is exec'd as `nacre exec` does it. */
const script = `cat /proc/self/status; echo; cat /proc/self/limits; echo
for name in ${namespaceNames.join(" ")}; do echo "ns $name $(readlink /proc/self/ns/$name)"; done`;

/** Whether a command that is exec'd stands behind the same walls as the agent, field by field. */
export async function execParity(entry: Entry, agentPid: number): Promise<SandboxStatus["exec"]> {
  const agent = seenInside(readProcess(agentPid));
  const other = readingOf(await run(entry));
  const compared = [
    ...statusFields.map((field) => ({ field, of: (from: ProcessReading) => from.status[field] })),
    ...namespaceNames.map((name) => ({
      field: `${name} namespace`,
      of: (from: ProcessReading) => from.namespaces[name],
    })),
    ...limitNames.map((name) => ({ field: name, of: (from: ProcessReading) => from.limits[name] })),
  ];
  const differences = compared.flatMap(({ field, of }) => {
    const [ours, theirs] = [of(agent) ?? "unknown", of(other) ?? "unknown"];
    return ours === theirs ? [] : [{ field, agent: ours, exec: theirs }];
  });
  return { same: differences.length === 0, compared: compared.map(({ field }) => field), differences };
}

/** Ids are read outside for the one and inside for the other: both are said as inside. */
function seenInside(reading: ProcessReading): ProcessReading {
  const [uid, gid] = [reading.status["Uid"] ?? "", reading.status["Gid"] ?? ""];
  const same = (ids: string): boolean => new Set(ids.split(" ")).size === 1;
  return {
    ...reading,
    status: {
      ...reading.status,
      ...(same(uid) ? { Uid: Array<number>(4).fill(inside.ids.uid).join(" ") } : {}),
      ...(same(gid) ? { Gid: Array<number>(4).fill(inside.ids.gid).join(" ") } : {}),
    },
  };
}

function readingOf(text: string): ProcessReading {
  const namespaces: Record<string, string> = {};
  for (const [, name = "", value = ""] of text.matchAll(/^ns (\w+) (\S+)$/gm)) namespaces[name] = value;
  return { status: statusOf(text), limits: limitsOf(text), namespaces };
}

async function run({ control, env, cwd }: Entry): Promise<string> {
  const child = spawnLauncher("exec", { control, env, cwd, argv: ["/bin/sh", "-c", script], tty: false }, [
    "ignore",
    "pipe",
    "ignore",
  ]);
  const stdout = child.stdout as Readable;
  let text = "";
  stdout.setEncoding("utf8").on("data", (piece: string) => {
    if (text.length < 64 * 1024) text += piece;
  });
  const late = setTimeout(() => {
    child.kill("SIGKILL");
    stdout.destroy(); // What runs inside holds the other end.
  }, 10_000);
  await new Promise((resolve) => {
    child.once("close", resolve);
    child.once("error", resolve);
  });
  clearTimeout(late);
  return text;
}
