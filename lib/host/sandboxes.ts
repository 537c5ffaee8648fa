import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { NacreError } from "../error.ts";
import { idOf, type HostSandbox } from "../synth/host-objects.ts";
import type { HostContext, ShowProgress } from "./context.ts";
import { Mutex } from "./mutex.ts";
import { ownIds, takeIds } from "./outside-ids.ts";
import { sandboxPaths } from "./paths.ts";
import { idsIn, readRecord, readWorkspace, writeRecord, type SandboxRecord } from "./record.ts";
import { emptyTrash } from "./remove-tree.ts";
import { Sandbox } from "./sandbox.ts";
import { resolveSecret } from "./secret-source.ts";
import { refuseAll, secretNames, secretRefusals } from "./secret-use.ts";
import { everyRecord } from "./workspaces.ts";

/** Every sandbox of this state directory. */
export class Sandboxes {
  readonly #context: HostContext;
  readonly #admission = new Mutex();
  readonly #found = new Map<string, Sandbox>();
  /** Folders that cannot be read: an error each time somebody asks, until a person has looked. */
  readonly #broken = new Map<string, unknown>();

  private constructor(context: HostContext) {
    this.#context = context;
  }

  /** Reads what is there, finds what of it runs, and begins to give it its network again. */
  static async open(context: HostContext): Promise<Sandboxes> {
    const all = new Sandboxes(context);
    emptyTrash(join(context.state, "trash")).catch((error: unknown) => context.log("trash", String(error)));
    for (const id of await idsIn(context.state, "sandboxes")) {
      try {
        const record = await readRecord(context.state, id);
        if (record === undefined) continue; // Interrupted before its record was: nothing of it was ever started.
        const sandbox = new Sandbox(context, record);
        all.#found.set(id, sandbox);
        await sandbox.find();
        sandbox.resume().catch((error: unknown) => context.log(id, `cannot be adopted: ${String(error)}`));
      } catch (error) {
        all.#broken.set(id, error);
        context.log(id, String(error));
      }
    }
    return all;
  }

  get all(): readonly Sandbox[] {
    return [...this.#found.values()];
  }

  /** Errors of what cannot even be read. */
  get broken(): ReadonlyMap<string, unknown> {
    return this.#broken;
  }

  find(id: string): Sandbox | undefined {
    if (this.#broken.has(id)) throw this.#broken.get(id);
    return this.#found.get(id);
  }

  /** @throws NacreError `sandbox_unknown` */
  get(id: string): Sandbox {
    const found = this.find(id);
    if (found !== undefined) return found;
    throw new NacreError({
      code: "sandbox_unknown",
      subject: `sandbox ${id}`,
      message: "there is none on this machine",
      hint:
        this.#found.size === 0 ? "nacre up makes one" : `there are: ${[...this.#found.keys()].join(", ")}`,
    });
  }

  /** Makes it, or makes it so. Refused before anything of it exists: a name, a port or a secret that it may not have. */
  async become(spec: HostSandbox, progress: ShowProgress): Promise<Sandbox> {
    const sandbox = await this.#admission.run(() => this.#admit(spec));
    await sandbox.become(spec, progress);
    return sandbox;
  }

  async remove(id: string): Promise<void> {
    const sandbox = this.find(id);
    if (sandbox === undefined) return;
    await sandbox.remove();
    this.#found.delete(id);
  }

  /** The daemon ends; the agents run on. */
  async leave(): Promise<void> {
    await Promise.all(this.all.map((sandbox) => sandbox.leave()));
  }

  async #admit(spec: HostSandbox): Promise<Sandbox> {
    const id = idOf(spec);
    const found = this.find(id);
    if (found !== undefined && found.record.spec.project !== spec.project)
      throw inUse(id, found.record.spec.project);
    refuseAll(secretRefusals(spec, await this.#context.operator()));
    const workspace = await readWorkspace(this.#context.state, spec.workspace);
    if (workspace === undefined) throw lacks(id, spec.workspace);
    if (workspace.spec.project !== spec.project) throw inUse(spec.workspace, workspace.spec.project);
    await this.#admitPorts(spec, found);
    if (found !== undefined) return found;
    await this.#refuseLacking(spec);
    const records = await everyRecord(this.#context.state);
    const record: SandboxRecord = {
      id,
      spec,
      identity: takeIds(ownIds(), records, workspace.owner),
      generation: 0,
      init: null,
      egress: null,
      wanted: "running",
      published: [],
      kitDigest: null,
      failure: "it was never started",
    };
    await mkdir(sandboxPaths(this.#context.state, id).directory, { recursive: true, mode: 0o700 });
    await writeRecord(this.#context.state, record);
    const sandbox = new Sandbox(this.#context, record);
    this.#found.set(id, sandbox);
    return sandbox;
  }

  /** A program is not run for it: what it prints is asked for once, at the start. */
  async #refuseLacking(spec: HostSandbox): Promise<void> {
    const { secrets } = await this.#context.operator();
    const lacking: NacreError[] = [];
    for (const name of secretNames(spec)) {
      const entry = secrets[name];
      if (entry === undefined || entry.command !== undefined) continue;
      const resolved = await resolveSecret(name, entry, this.#context.handed);
      if ("lacking" in resolved) lacking.push(secretLacking(idOf(spec), resolved.lacking));
    }
    refuseAll(lacking);
  }

  async #admitPorts(spec: HostSandbox, own: Sandbox | undefined): Promise<void> {
    for (const { outside } of spec.ports) {
      if (outside === 0) continue;
      const other = this.all.find((sandbox) => sandbox !== own && holds(sandbox, outside));
      if (other !== undefined) throw portInUse(idOf(spec), outside, `sandbox ${other.id} has it`);
      const isOurs = own !== undefined && holds(own, outside);
      if (!isOurs && !(await isFree(outside)))
        throw portInUse(idOf(spec), outside, "another program listens there");
    }
  }
}

const holds = ({ record }: Sandbox, port: number): boolean =>
  [...record.published, ...record.spec.ports].some(({ outside }) => outside === port);

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => resolve(true)));
  });
}

const inUse = (id: string, project: string): NacreError =>
  new NacreError({
    code: "name_in_use",
    subject: `sandbox ${id}`,
    message: `belongs to project ${project} on this machine`,
    hint: "choose another environment or agent name, or destroy that project's",
  });

const lacks = (id: string, workspace: string): NacreError =>
  new NacreError({
    code: "workspace_missing",
    subject: `sandbox ${id}`,
    message: `its workspace ${workspace} is not on this machine`,
    hint: "nacre up makes it: run nacre refresh, then nacre up",
  });

/** Nothing would answer the agent; one that runs already is kept, and its endpoints say so. */
export const secretLacking = (id: string, why: string): NacreError =>
  new NacreError({
    code: "secret_lacking",
    subject: `sandbox ${id}`,
    message: why,
    hint: "nacre secret list shows where its value comes from",
  });

const portInUse = (id: string, port: number, why: string): NacreError =>
  new NacreError({
    code: "port_in_use",
    subject: `sandbox ${id}`,
    message: `127.0.0.1:${port} is in use: ${why}`,
    hint: "give it another port, or none to get a free one",
  });
