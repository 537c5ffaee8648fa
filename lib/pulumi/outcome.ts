import type { EngineEvent, StepMetadata } from "./events.ts";
import { nameOf } from "./events.ts";

export type Operation = "create" | "update" | "replace" | "delete" | "keep" | "same";

/** One resource of ours, and what a run did to it, or would. */
export interface Change {
  readonly kind: (typeof order)[number];
  /** Pulumi's type: `kubernetes:apps/v1:Deployment`. */
  readonly type: string;
  /** What the program calls it: its construct path. */
  readonly name: string;
  /** `keep`: it leaves the stack, and stays on the machine. */
  readonly operation: Operation;
  /** The differing properties, as Pulumi writes paths. */
  readonly paths: readonly string[];
  /** What the provider says beside it: `restarts the agent (walls)`, why a sandbox is gone. */
  readonly notes: readonly string[];
  readonly failed: boolean;
}

export interface Notice {
  readonly severity: "warning" | "error";
  readonly subject: string | undefined;
  readonly message: string;
}

/** What a run of the engine came to. A preview's is what would happen. */
export interface Outcome {
  readonly result: "succeeded" | "failed" | "cancelled";
  readonly changes: readonly Change[];
  readonly notices: readonly Notice[];
  readonly durationMs: number;
}

export const changed = (outcome: Outcome): readonly Change[] =>
  outcome.changes.filter(({ operation }) => operation !== "same");

/** Resources that live on another machine: this one cannot say how they are. */
export const unobserved = (outcome: Outcome): readonly Change[] =>
  outcome.changes.filter(({ notes }) => notes.some((note) => note.startsWith("unobserved:")));

interface Seen {
  urn: string;
  type: string;
  operation: Operation;
  paths: string[];
  failed: boolean;
}

/** Gathers events into an outcome. */
export class OutcomeReader {
  readonly #seen = new Map<string, Seen>();
  readonly #notes = new Map<string, string[]>();
  readonly #notices: Notice[] = [];
  #failed = false;

  /** Whether the engine came as far as saying anything about what it does. */
  get heard(): boolean {
    return this.#seen.size > 0 || this.#notices.length > 0;
  }

  read(event: EngineEvent): void {
    if (event.resourcePreEvent) this.#step(event.resourcePreEvent.metadata, false);
    if (event.resOutputsEvent) this.#step(event.resOutputsEvent.metadata, true);
    if (event.resOpFailedEvent) this.#failure(event.resOpFailedEvent.metadata);
    if (event.diagnosticEvent) this.#say(event.diagnosticEvent);
    if (event.summaryEvent?.result === "failed") this.#failed = true;
  }

  /** Why the run ended, unless an event has told. */
  blame(subject: string, message: string): void {
    if (this.#notices.some(({ severity }) => severity === "error")) return;
    this.#notices.push({ severity: "error", subject, message });
  }

  outcome(result: "succeeded" | "failed" | "cancelled", durationMs: number): Outcome {
    const changes: Change[] = [...this.#seen.values()].map(({ urn, type, operation, paths, failed }) => ({
      kind: kindOf(type),
      type,
      name: nameOf(urn),
      operation,
      paths,
      // The engine tells them in no order.
      notes: (this.#notes.get(urn) ?? []).toSorted(),
      failed,
    }));
    changes.sort((one, other) => rank(one) - rank(other) || (one.name < other.name ? -1 : 1));
    const failed = result === "succeeded" && this.#failed ? "failed" : result;
    return { result: failed, changes, notices: this.#notices, durationMs };
  }

  #step(step: StepMetadata, done: boolean): void {
    if (!isOurs(step.type)) return;
    const operation = operationOf(step, done);
    if (operation === undefined) return;
    const paths = Object.keys(step.detailedDiff ?? {});
    const before = this.#seen.get(step.urn);
    const merged = before !== undefined && before.operation === "replace" ? "replace" : operation;
    this.#seen.set(step.urn, {
      urn: step.urn,
      type: step.type,
      operation: merged,
      paths: paths.length > 0 ? paths : (before?.paths ?? []),
      failed: before?.failed ?? false,
    });
  }

  #failure(step: StepMetadata): void {
    this.#failed = true;
    const seen = this.#seen.get(step.urn);
    if (seen) seen.failed = true;
  }

  #say({ urn, message, severity, ephemeral }: NonNullable<EngineEvent["diagnosticEvent"]>): void {
    // The engine wraps a provider's reasons, and ends with a line that only repeats that something failed.
    const text = message
      .trim()
      .replace(/^(\d+ errors? occurred|Refreshed resource is in an unhealthy state):\s*\* /, "");
    if (ephemeral === true || text === "" || severity === "debug") return;
    if (/^(update|preview|refresh|destroy) failed$/.test(text)) {
      this.#failed = true;
      return;
    }
    if (urn !== undefined && urn !== "") {
      const notes = this.#notes.get(urn) ?? [];
      if (!notes.includes(text)) this.#notes.set(urn, [...notes, text]);
    }
    if (severity === "warning" || severity === "error") {
      const subject = urn === undefined || urn === "" ? undefined : nameOf(urn);
      this.#notices.push({ severity, subject, message: text });
      if (severity === "error") this.#failed = true;
    }
  }
}

/**
 * A refresh before an update is no change of its own: what it finds shows in the step that follows. A refresh alone ends
 * as `same`, `update` or `delete`; what is unwell differs from what it should be, also where no property says so.
 */
function operationOf(step: StepMetadata, done: boolean): Operation | undefined {
  switch (step.op) {
    case "refresh":
      return done && (step.new === null || step.new === undefined) ? "delete" : undefined;
    case "create":
    case "update":
      return step.op;
    case "same":
      return (step.new?.initErrors ?? []).length > 0 ? "update" : "same";
    case "delete":
      return step.old?.retainOnDelete === true ? "keep" : "delete";
    case "discard":
      return "keep";
    case "replace":
    case "create-replacement":
    case "delete-replaced":
    case "discard-replaced":
      return "replace";
    default:
      return undefined;
  }
}

/** Types of resources that a run is reported by: what exists outside of the record, no component, stack or provider. */
export const isOurs = (type: string): boolean =>
  /^(nacre|kubernetes|docker):/.test(type) && !/^nacre:\w+:(Environment|Chart|Gateway)$/.test(type);

const order = [
  "network",
  "volume",
  "container",
  "kubeconfig",
  "machine",
  "workspace",
  "sandbox",
  "object",
] as const;
const rank = ({ kind }: Change): number => order.indexOf(kind);

function kindOf(type: string): Change["kind"] {
  if (type.startsWith("kubernetes:")) return "object";
  const kind = type.split(":").at(-1)?.toLowerCase();
  return order.find((known) => known === kind) ?? "object";
}
