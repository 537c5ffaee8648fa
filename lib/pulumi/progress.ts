import type { EngineEvent } from "./events.ts";
import { nameOf } from "./events.ts";
import { isOurs } from "./outcome.ts";

/** What a person may watch while the engine works. */
export interface RunProgress {
  /** The resource's name; undefined for the run as a whole. */
  readonly subject: string | undefined;
  readonly message: string;
}

export type OnRunProgress = (progress: RunProgress) => void;

const verbs: Record<string, string> = {
  create: "creating",
  update: "updating",
  delete: "deleting",
  refresh: "reading",
  replace: "replacing",
};

/** Undefined for an event that is nothing to watch. */
export function progressOf(event: EngineEvent): RunProgress | undefined {
  const step = event.resourcePreEvent?.metadata;
  if (step !== undefined && isOurs(step.type) && step.op in verbs) {
    const isKept = step.op === "delete" && step.old?.retainOnDelete === true;
    return {
      subject: nameOf(step.urn),
      message: `${isKept ? "keeping" : (verbs[step.op] ?? step.op)} ${step.type.split(":").at(-1)?.toLowerCase() ?? ""}`,
    };
  }
  const said = event.diagnosticEvent;
  if (said?.ephemeral === true && said.severity !== "debug") {
    return { subject: said.urn === undefined ? undefined : nameOf(said.urn), message: said.message.trim() };
  }
  return undefined;
}
