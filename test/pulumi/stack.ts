import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheDirectory } from "../../lib/host/paths.ts";
import { EnvironmentStack, type EnvironmentStackOptions } from "../../lib/pulumi/automation.ts";
import { findEngine } from "../../lib/pulumi/engine.ts";
import { HostEnvironment } from "../../lib/pulumi/host.ts";
import type { Outcome } from "../../lib/pulumi/outcome.ts";
import { isAlive, identify } from "../../lib/host/process-identity.ts";
import type { HostSandbox } from "../../lib/synth/host-objects.ts";
import { FolderMachine } from "../provider/folder-machine.ts";
import { sandbox, workspace } from "../provider/specs.ts";

/** Obtaining the engine compiles it where nothing else can be had: minutes, the first time. */
export const engineTimeout = 900_000;

/** The real engine and the real provider over a machine in a folder. */
export class TestStack {
  readonly state = mkdtempSync(join(tmpdir(), "nacre-stack-"));
  readonly repairs: string[] = [];
  readonly progress: string[] = [];

  /** A stack whose one sandbox is `changes` over the usual one. */
  async open(
    changes: Partial<HostSandbox> = {},
    options: Partial<EnvironmentStackOptions> = {},
  ): Promise<EnvironmentStack> {
    const digests = { blueprint: "sha256:b", environment: "sha256:e" };
    const objects = { workspaces: [workspace()], sandboxes: [sandbox(changes)], digests, warnings: [] };
    return EnvironmentStack.open({
      engine: await findEngine({ cache: cacheDirectory() }),
      project: "nacre",
      environment: "dev",
      stateDirectory: this.state,
      cache: join(this.state, "cache"),
      plugin: fileURLToPath(new URL("../provider/plugin", import.meta.url)),
      program: () => Promise.resolve({ environment: new HostEnvironment("dev", objects).urn }),
      onRepair: (line) => this.repairs.push(line),
      onProgress: ({ subject, message }) => this.progress.push(`${subject ?? ""}: ${message}`),
      ...options,
    });
  }

  /** The sandbox's process, as the machine has recorded it. */
  get agent(): { pid: number; generation: number } | undefined {
    const path = join(this.state, "sandboxes/dev/assistant.json");
    if (!existsSync(path)) return undefined;
    const { pid, generation } = JSON.parse(readFileSync(path, "utf8"));
    return { pid, generation };
  }

  /** Ends a process for good. */
  async kill(pid: number): Promise<void> {
    const victim = identify(pid);
    process.kill(pid, "SIGKILL");
    while (victim && isAlive(victim)) await new Promise((done) => setTimeout(done, 20));
  }

  async remove(): Promise<void> {
    await new FolderMachine(this.state).deleteSandbox("dev/assistant");
    rmSync(this.state, { recursive: true, force: true });
  }
}

/** `sandbox create`, one line a resource. */
export const planOf = (outcome: Outcome): string[] =>
  outcome.changes.map(({ kind, operation }) => `${kind} ${operation}`);

export const errorsOf = (outcome: Outcome): string =>
  outcome.notices
    .filter(({ severity }) => severity === "error")
    .map(({ message }) => message)
    .join("\n");
