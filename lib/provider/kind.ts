import type { z } from "zod";
import type { Difference } from "./difference.ts";
import type { Properties } from "./wire.ts";

/** One request of the engine, as a resource kind sees it. */
export interface Call {
  readonly urn: string;
  readonly name: string;
  /** Aborted when the engine cancels. */
  readonly signal: AbortSignal;
  /** Shown under the resource; `progress` only while it works. */
  readonly log: (severity: "progress" | "info" | "warning", message: string) => void;
}

/** What exists: under which id, from which inputs, and what the machine added to them. */
export interface Observed {
  readonly id: string;
  readonly inputs: Properties;
  readonly outputs: Properties;
  /** Why it is not what it should be. Not empty: the engine keeps it with these reasons, and the next `up` mends it. */
  readonly problems: readonly string[];
}

export interface Recorded {
  readonly id: string;
  readonly inputs: Properties;
  readonly outputs: Properties;
}

/** What a change of the inputs comes to. */
export interface Effect {
  /** Inputs whose change makes it another thing, with another id. */
  readonly replaces: readonly string[];
  /** Outputs that are known only afterwards. */
  readonly unsettled: readonly string[];
  /** Said to the person, beside the change. */
  readonly note?: string | undefined;
}

/** What a resource must say about itself; everything else is the protocol's business. */
export interface ResourceKind<Inputs extends Properties> {
  readonly inputs: z.ZodType<Inputs>;
  /** Outputs that only the machine knows: unknown when a preview creates. */
  readonly computed: readonly string[];
  effect(changes: readonly Difference[]): Effect;
  /** A preview creates or updates: says what the real run would stumble over. Starts nothing. */
  foresee?(inputs: Properties, call: Call): Promise<void>;
  create(inputs: Inputs, call: Call): Promise<Observed>;
  /** `recorded` without inputs is a search by id alone. `"gone"`: not there; `"unobserved"`: cannot be told from here. */
  read(recorded: Recorded, call: Call): Promise<Observed | "gone" | "unobserved">;
  update(recorded: Recorded, inputs: Inputs, call: Call): Promise<Observed>;
  delete(recorded: Recorded, call: Call): Promise<void>;
}
