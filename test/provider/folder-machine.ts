import { existsSync, readFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { identify } from "../../lib/host/process-identity.ts";
import type { Call } from "../../lib/provider/kind.ts";
import type { Foreseen, Machine, SandboxReading } from "../../lib/provider/machine.ts";
import { idOf, type HostSandbox, type HostWorkspace } from "../../lib/synth/host-objects.ts";

interface Kept {
  readonly spec: HostSandbox;
  readonly generation: number;
  readonly pid: number;
}

/**
 * A machine in a folder, with no walls: a sandbox is its command as a process of its own, a record of it and nothing else.
 * A command `false` does not become ready; an environment variable `SLOW` delays (milliseconds) what starts one.
 */
export class FolderMachine implements Machine {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  identity(): Promise<string | undefined> {
    return readFile(join(this.folder, "machine"), "utf8").catch(() => undefined);
  }

  async claim(): Promise<string> {
    const known = await this.identity();
    if (known !== undefined) return known;
    const id = randomUUID();
    await this.write("machine", id);
    return id;
  }

  async findWorkspace(id: string): Promise<HostWorkspace | undefined> {
    return this.read<HostWorkspace>(`workspaces/${id}.json`);
  }

  async createWorkspace(spec: HostWorkspace): Promise<void> {
    await this.write(`workspaces/${idOf(spec)}.json`, JSON.stringify(spec));
  }

  async deleteWorkspace(id: string): Promise<void> {
    await rm(join(this.folder, `workspaces/${id}.json`), { force: true });
  }

  async findSandbox(id: string): Promise<SandboxReading | undefined> {
    const kept = await this.read<Kept>(`sandboxes/${id}.json`);
    return kept && this.reading(kept);
  }

  async createSandbox(spec: HostSandbox, call: Call): Promise<SandboxReading> {
    const kept = await this.read<Kept>(`sandboxes/${idOf(spec)}.json`);
    if (kept !== undefined && isAlive(kept.pid)) return this.updateSandbox(spec, call);
    return this.start(spec, (kept?.generation ?? 0) + 1, call);
  }

  async updateSandbox(spec: HostSandbox, call: Call): Promise<SandboxReading> {
    const kept = await this.read<Kept>(`sandboxes/${idOf(spec)}.json`);
    const walls = ({ network: _network, digests: _digests, ...rest }: HostSandbox) => JSON.stringify(rest);
    if (kept !== undefined && isAlive(kept.pid) && walls(kept.spec) === walls(spec)) {
      const next = { ...kept, spec };
      await this.write(`sandboxes/${idOf(spec)}.json`, JSON.stringify(next));
      return this.reading(next);
    }
    if (kept !== undefined && isAlive(kept.pid)) process.kill(kept.pid, "SIGKILL");
    return this.start(spec, (kept?.generation ?? 0) + 1, call);
  }

  async deleteSandbox(id: string): Promise<void> {
    const kept = await this.read<Kept>(`sandboxes/${id}.json`);
    if (kept !== undefined && isAlive(kept.pid)) process.kill(kept.pid, "SIGKILL");
    await rm(join(this.folder, `sandboxes/${id}.json`), { force: true });
  }

  foresee(spec: HostSandbox): Promise<Foreseen> {
    const refusals = spec.agent.kind === "kit" ? ["it runs commands only"] : [];
    return Promise.resolve({ refusals, conflicts: [] });
  }

  /** As the real one does: the identity is written before readiness is waited for. */
  private async start(spec: HostSandbox, generation: number, call: Call): Promise<SandboxReading> {
    if (spec.agent.kind !== "command") throw new Error("this machine runs commands only");
    const [program = "", ...args] = spec.agent.command;
    const child = spawn(program, args, { detached: true, stdio: "ignore" });
    child.unref();
    const kept = { spec, generation, pid: child.pid ?? 0 };
    await this.write(`sandboxes/${idOf(spec)}.json`, JSON.stringify(kept));
    call.log("progress", `waiting for generation ${generation}`);
    await setTimeout(Number(process.env["SLOW"] ?? "50"), undefined, { signal: call.signal });
    return this.reading(kept);
  }

  private reading({ spec, generation, pid }: Kept): SandboxReading {
    const running = isAlive(pid);
    const published = spec.ports.map(({ inside, outside }) => ({
      inside,
      outside: outside || 40_000 + inside,
    }));
    const problems = running ? [] : ["its process ended"];
    return { spec, running, generation, published, problems, ...this.said() };
  }

  /** What a test says that commands did: `live.json`. */
  private said(): Pick<SandboxReading, "live" | "conflicts"> {
    const file = join(this.folder, "live.json");
    return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : { live: [], conflicts: [] };
  }

  private async read<Content>(path: string): Promise<Content | undefined> {
    const text = await readFile(join(this.folder, path), "utf8").catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as Content);
  }

  private async write(path: string, content: string): Promise<void> {
    await mkdir(dirname(join(this.folder, path)), { recursive: true, mode: 0o700 });
    await writeFile(join(this.folder, path), content, { mode: 0o600 });
  }
}

const isAlive = (pid: number): boolean => identify(pid) !== undefined;
