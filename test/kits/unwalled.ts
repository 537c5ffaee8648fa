import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { KitAgent } from "../../lib/host/kit.ts";
import type { RunThrowAway } from "../../lib/host/throwaway.ts";

/**
 * What a sandbox would show at its own paths, at others of this host and without any wall: for tests of what kits and
 * agents do. What the walls do to them is tested end to end.
 */
export type Shown = Readonly<Record<string, string>>;

const shown = (text: string, places: Shown): string =>
  Object.entries(places).reduce((said, [inside, here]) => said.replaceAll(inside, here), text);

export const runUnwalled: RunThrowAway = async (spec) => {
  const home = mkdtempSync(join(tmpdir(), "nacre-home-"));
  const places: Shown = {
    "/opt/nacre/node/bin/node": process.execPath,
    "/sandbox": home,
    ...Object.fromEntries(spec.binds.map(({ from, to }) => [to, from])),
  };
  for (const { name, content } of spec.files) writeFileSync(join(home, name), content);
  const [program = "", ...args] = spec.argv.map((text) => shown(text, places));
  const env = Object.fromEntries(Object.entries(spec.env).map(([name, text]) => [name, shown(text, places)]));
  const child = spawn(program, args, {
    cwd: home,
    env: {
      PATH: "/usr/bin:/bin",
      HOME: home,
      NODE_EXTRA_CA_CERTS: process.env["NODE_EXTRA_CA_CERTS"],
      ...env,
    },
    signal: spec.signal,
    timeout: spec.timeout,
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-16_384);
      spec.output(text);
    });
  }
  const code = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve(status ?? 137));
  });
  return {
    code,
    tail: said,
    refused: [],
    home,
    dispose() {
      rmSync(home, { recursive: true, force: true });
      return Promise.resolve();
    },
  };
};

/** Starts an agent as the daemon would have it started. Resolves once it is ready. */
export async function startUnwalled(agent: KitAgent, port: number, places: Shown) {
  for (const { at, content, mode } of agent.files) {
    const here = shown(at, places);
    mkdirSync(dirname(here), { recursive: true });
    writeFileSync(here, shown(content, places), { mode: Number.parseInt(mode ?? "0444", 8) });
  }
  const home = places["/sandbox"] ?? "/";
  const [program = "", ...args] = agent.argv.map((text) => shown(text, places));
  const env = Object.fromEntries(
    Object.entries(agent.env).map(([name, text]) => [name, shown(text, places)]),
  );
  const child = spawn(program, args, {
    cwd: home,
    env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, HOME: home, LANG: "C.UTF-8", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (log += text));
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const stop = async (): Promise<number | null> => {
    child.kill("SIGTERM");
    return ended;
  };
  const patience = AbortSignal.timeout(agent.readySeconds * 1000);
  let reason = await agent.ready(port, patience);
  while (reason !== undefined) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${log}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    reason = await agent.ready(port, patience);
  }
  return { stop, log: () => log, pid: child.pid ?? 0 };
}
