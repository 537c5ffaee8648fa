import { execFile, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { SandboxStatus } from "../../lib/host/api.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
let base: string;
let clone: string;
let env: NodeJS.ProcessEnv;

/** `nacre` of the clone, as a person calls it. */
async function nacre(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  try {
    const { stdout, stderr } = await run("node", ["lib/bootstrap.mjs", ...args], {
      cwd: clone,
      env,
      maxBuffer: 16 << 20,
    });
    return { code: 0, out: stdout, err: stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, err: stderr };
  }
}

const question = "Read the file note.txt in your workspace and tell me what it says.";

/** What OpenClaw's own session file says of its tool calls, read where it is: inside. */
const toolResults = `
  const { DatabaseSync } = require("node:sqlite");
  const file = "/sandbox/.openclaw/agents/main/agent/openclaw-agent.sqlite";
  const rows = new DatabaseSync(file, { readOnly: true }).prepare("SELECT event_json FROM transcript_events").all();
  const messages = rows.map(({ event_json }) => JSON.parse(event_json).message);
  console.log(JSON.stringify(messages.filter((message) => message?.role === "toolResult")));
`;

async function writeNote(value: string): Promise<void> {
  const wrote = await nacre(
    "exec",
    "-s",
    "dev",
    "assistant",
    "--",
    "sh",
    "-c",
    `printf %s ${value} > note.txt`,
  );
  expect(wrote).toMatchObject({ code: 0 });
}

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), "nacre-e2e-"));
  clone = join(base, "clone");
  await run("git", ["clone", "--quiet", root, clone]);
  env = {
    ...process.env,
    NACRE_STATE_DIR: join(base, "state"),
    XDG_CONFIG_HOME: join(base, "config"),
    NVIDIA_API_KEY: "",
  };
});

afterAll(async () => {
  await nacre("destroy", "-s", "dev", "--yes");
  const daemon = JSON.parse(await readFile(join(base, "state/daemon.json"), "utf8")) as { pid: number };
  process.kill(daemon.pid, "SIGTERM");
  await rm(base, { recursive: true, force: true, maxRetries: 5 });
});

test("from a fresh clone, npm start ends with OpenClaw's reply and the posture", () => {
  const started = spawnSync("npm", ["start"], { cwd: clone, env, encoding: "utf8", timeout: 580_000 });
  expect(started.status, started.stdout + started.stderr).toBe(0);
  const reply = /agent: ([^]*?)\n\n?dev\/assistant/.exec(started.stdout)?.[1] ?? started.stdout;
  const value = /it holds ([0-9a-f]{16})/.exec(started.stderr)?.[1];
  expect(value).toBeDefined();
  expect(reply).toContain(value);
  for (const wall of ["files", "syscalls", "network", "credentials"])
    expect(started.stdout).toMatch(new RegExp(`✓ ${wall} .* forbidden things refused from inside`));
});

test("another value gives another answer, and OpenClaw's own session file holds the call that read it", async () => {
  const value = randomBytes(8).toString("hex");
  await writeNote(value);
  const asked = await nacre("ask", "-s", "dev", "assistant", question);
  expect(asked, asked.err).toMatchObject({ code: 0 });
  expect(asked.out).toContain(value);
  const session = await nacre(
    "exec",
    "-s",
    "dev",
    "assistant",
    "--",
    "/opt/nacre/node/bin/node",
    "-e",
    toolResults,
  );
  const results = JSON.parse(session.out) as { toolName: string; content: { text: string }[] }[];
  expect(results).toContainEqual(
    expect.objectContaining({ toolName: "read", content: [expect.objectContaining({ text: value })] }),
  );
});

test("exec has the same posture as the agent, and every wall holds", async () => {
  const [status] = JSON.parse((await nacre("status", "--json")).out) as SandboxStatus[];
  expect(status?.walls.map(({ wall, holds }) => [wall, holds])).toEqual([
    ["files", true],
    ["syscalls", true],
    ["network", true],
    ["credentials", true],
  ]);
  expect(status?.exec).toMatchObject({ same: true });
  expect(status?.probes?.filter(({ refused }) => !refused)).toEqual([]);
});

test("run again, npm start says that nothing changed", async () => {
  const again = await nacre("up", "-s", "dev");
  expect(again, again.err).toMatchObject({ code: 0 });
  expect(again.out).toContain("nothing changed");
});

test("with OpenClaw stopped, ask fails", async () => {
  const [status] = JSON.parse((await nacre("status", "--json", "--no-probe")).out) as SandboxStatus[];
  const pid = status?.agent?.pid ?? 0;
  expect(pid).toBeGreaterThan(1);
  process.kill(pid, "SIGSTOP");
  const asked = await nacre("ask", "-s", "dev", "assistant", "--timeout", "5s", question);
  process.kill(pid, "SIGCONT");
  expect(asked.code).toBe(124);
  expect(asked.err).toContain("did not answer within 5 s");
});

test("the workspace outlives destroy", async () => {
  const destroyed = await nacre("destroy", "-s", "dev", "--yes");
  expect(destroyed, destroyed.err).toMatchObject({ code: 0 });
  expect(await nacre("status", "--json")).toMatchObject({ out: "[]\n" });
  expect(await readdir(join(base, "state/workspaces/dev--assistant/data"))).toContain("note.txt");
});
