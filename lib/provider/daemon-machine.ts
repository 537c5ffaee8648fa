import type { Progress } from "../host/api.ts";
import { connect, type CallOptions, type Client } from "../host/client.ts";
import { machineId } from "../host/machine.ts";
import { readOperator, type Operator } from "../host/operator.ts";
import { operatorFile } from "../host/paths.ts";
import { isAlive } from "../host/process-identity.ts";
import { readRecord, readWorkspace } from "../host/record.ts";
import { handedOver } from "../host/handed-over.ts";
import { secretNames, secretRefusals } from "../host/secret-use.ts";
import { conflictLines, liveLines } from "../host/live-lines.ts";
import { rebased } from "../host/live-network.ts";
import { readOverrides } from "../host/overrides.ts";
import { idOf, type HostSandbox, type HostWorkspace } from "../synth/host-objects.ts";
import type { Call } from "./kind.ts";
import type { Foreseen, Machine, SandboxReading } from "./machine.ts";

/** This machine, through the daemon of a state directory. Reads start none: then the records and the kernel are asked. */
export class DaemonMachine implements Machine {
  readonly #state: string;

  constructor(state: string) {
    this.#state = state;
  }

  identity(): Promise<string | undefined> {
    return machineId(this.#state);
  }

  async claim(call: Call): Promise<string> {
    return (await (await this.#daemon(call)).call("hello", {}, optionsOf(call))).machine;
  }

  async findWorkspace(id: string, call: Call): Promise<HostWorkspace | undefined> {
    const daemon = await this.#runningDaemon(call);
    if (daemon === undefined) return (await readWorkspace(this.#state, id))?.spec;
    return (await daemon.call("workspace.read", { id }, optionsOf(call))) ?? undefined;
  }

  async createWorkspace(spec: HostWorkspace, call: Call): Promise<void> {
    await (await this.#daemon(call)).call("workspace.create", { spec }, optionsOf(call));
  }

  async deleteWorkspace(id: string, call: Call): Promise<void> {
    await (await this.#daemon(call)).call("workspace.delete", { id }, optionsOf(call));
  }

  async findSandbox(id: string, call: Call): Promise<SandboxReading | undefined> {
    const daemon = await this.#runningDaemon(call);
    const record = await readRecord(this.#state, id);
    if (daemon !== undefined) {
      const values = record === undefined ? undefined : await valuesOf(record.spec);
      return (await daemon.call("sandbox.read", { id, values }, optionsOf(call))) ?? undefined;
    }
    if (record === undefined) return undefined;
    const running = record.init !== null && isAlive(record.init);
    const problem = running
      ? "the daemon does not run: the agent has no network until it is back"
      : (record.failure ?? "its processes ended");
    const { spec, generation, published } = record;
    const overrides = await readOverrides(this.#state, id);
    return {
      spec,
      running,
      generation,
      published,
      problems: [problem],
      live: liveLines(id, spec.network, overrides),
      conflicts: conflictLines(id, overrides),
    };
  }

  async createSandbox(spec: HostSandbox, call: Call): Promise<SandboxReading> {
    const body = { spec, values: await valuesOf(spec) };
    return (await this.#daemon(call)).call("sandbox.create", body, optionsOf(call));
  }

  async updateSandbox(spec: HostSandbox, call: Call): Promise<SandboxReading> {
    const body = { spec, values: await valuesOf(spec) };
    return (await this.#daemon(call)).call("sandbox.update", body, optionsOf(call));
  }

  async deleteSandbox(id: string, call: Call): Promise<void> {
    await (await this.#daemon(call)).call("sandbox.delete", { id }, optionsOf(call));
  }

  async foresee(spec: HostSandbox): Promise<Foreseen> {
    const refusals = secretRefusals(spec, await operator()).map((refusal) => refusal.toString());
    const id = idOf(spec);
    const record = await readRecord(this.#state, id);
    const { live } = await readOverrides(this.#state, id);
    if (record === undefined || live === null) return { refusals, conflicts: [] };
    const next = rebased(live, record.spec.network, spec.network);
    return { refusals, conflicts: conflictLines(id, { live: next }) };
  }

  #daemon({ signal }: Call): Promise<Client> {
    return connect(this.#state, { start: true, signal });
  }

  #runningDaemon({ signal }: Call): Promise<Client | undefined> {
    return connect(this.#state, { start: false, signal });
  }
}

const operator = (): Promise<Operator> => readOperator(operatorFile());

const valuesOf = (spec: HostSandbox): Promise<Record<string, string>> =>
  handedOver(secretNames(spec), operator);

const optionsOf = ({ signal, log }: Call): CallOptions => ({
  signal,
  onProgress: (progress) => log("progress", textOf(progress)),
});

const textOf = ({ message, fraction }: Progress): string =>
  fraction === undefined ? message : `${message} (${Math.floor(fraction * 100)} %)`;
