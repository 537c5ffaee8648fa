import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { NacreError } from "../error.ts";
import { codeRoot } from "./build.ts";
import {
  type ApplySpec,
  type ChangesSpec,
  checkSchema,
  launchedSchema,
  type EgressSpec,
  type ExecSpec,
  type KernelOffer,
  type Launched,
  type SandboxSpec,
} from "./launch-spec.ts";

type Mode = "sandbox" | "egress" | "exec" | "changes" | "apply" | "check";

/** The launcher of this installation: inside the package, or built in the checkout. */
export function launcherPath(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const named = env["NACRE_LAUNCHER"];
  const places = [
    ...(named === undefined ? [] : [named]),
    join(codeRoot, "launcher/nacre-launcher"),
    join(codeRoot, "launcher/target/x86_64-unknown-linux-gnu/release/nacre-launcher"),
    join(codeRoot, "launcher/target/release/nacre-launcher"),
  ];
  const found = places.find((place) => existsSync(place));
  if (found !== undefined) return found;
  throw new NacreError({
    code: "launcher_missing",
    subject: "launcher",
    message: `there is none at ${places.at(-1) ?? ""}`,
    hint: "npm start builds it; it needs Rust 1.85 or later (https://rustup.rs)",
  });
}

/** Starts the launcher in `mode`. The spec goes over descriptor 3: never an argument, never a file. */
export function spawnLauncher(
  mode: Mode,
  spec: SandboxSpec | EgressSpec | ExecSpec | ChangesSpec | ApplySpec | undefined,
  stdio: StdioOptions & readonly unknown[],
): ChildProcess {
  const child = spawn(launcherPath(), [mode], {
    stdio: [...(stdio as ["ignore"]), "pipe"],
    cwd: "/",
    env: {},
  });
  const channel = child.stdio[3] as Writable | null;
  channel?.on("error", () => undefined); // It ended early; its own words say why.
  channel?.end(spec === undefined ? "" : JSON.stringify(spec));
  return child;
}

/** Builds the walls and starts init behind them. Resolves when init runs, or says which wall failed. */
export async function launch(spec: SandboxSpec): Promise<Extract<Launched, { ok: true }>> {
  const { out, error, code } = await run("sandbox", spec);
  const launched = launchedSchema.safeParse(parse(out));
  if (!launched.success) throw mute(`sandbox ${spec.id}`, code, error);
  if (!launched.data.ok) throw new NacreError(launched.data.error);
  return launched.data;
}

/** What this kernel offers for each wall, tried for real. */
export async function offerOf(): Promise<KernelOffer> {
  const { out, error, code } = await run("check", undefined);
  const offer = checkSchema.safeParse(parse(out));
  if (!offer.success) throw mute("launcher check", code, error);
  return offer.data;
}

interface Said {
  readonly out: string;
  readonly error: string;
  readonly code: number | null;
}

function run(mode: Mode, spec: SandboxSpec | undefined): Promise<Said> {
  const child = spawnLauncher(mode, spec, ["ignore", "pipe", "pipe"]);
  let [out, error] = ["", ""];
  child.stdout?.setEncoding("utf8").on("data", (piece: string) => (out += piece));
  child.stderr?.setEncoding("utf8").on("data", (piece: string) => (error = (error + piece).slice(-4096)));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    // `exit`, not `close`: init may hold a copy of a pipe for a moment.
    child.once("exit", (code) => setImmediate(() => resolve({ out, error, code })));
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const mute = (subject: string, code: number | null, said: string): NacreError =>
  new NacreError({
    code: "launcher_failed",
    subject,
    message: `the launcher ended with ${code ?? "a signal"} and no answer${said === "" ? "" : `: ${said.trim()}`}`,
    hint: "nacre doctor says what this machine lacks",
  });
