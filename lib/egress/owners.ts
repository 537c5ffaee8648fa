import type { Caller, Denied, RuleId } from "../policy/decision.ts";
import type { CapturedEnds, InitClient } from "./init-client.ts";

/** Questions at one time that only make the audit richer. */
const casual = 16;

/** Tells which program owns a captured connection, and holds a program to the bytes that it was first seen with. */
export class Owners {
  readonly #init: InitClient | undefined;
  readonly #pins = new Map<string, string>();
  #asked = 0;

  constructor(init: InitClient | undefined) {
    this.#init = init;
  }

  /** Nobody, where it cannot be told: rules for programs then do not match. */
  async of(captured: CapturedEnds): Promise<Caller> {
    if (this.#init === undefined) return {};
    try {
      return await this.#init.owner(captured);
    } catch {
      return {};
    }
  }

  /** The same for the audit alone: not asked when many are asked already. */
  async casually(captured: CapturedEnds): Promise<Caller> {
    if (this.#asked >= casual) return {};
    this.#asked++;
    try {
      return await this.of(captured);
    } finally {
      this.#asked--;
    }
  }

  /** A rule that names programs was used by this one: the first use pins its digest for the egress' life. */
  changed(rule: RuleId, who: Caller): Denied | undefined {
    if (who.binary === undefined || who.sha256 === undefined) return undefined;
    const pinned = this.#pins.get(who.binary);
    if (pinned === undefined) this.#pins.set(who.binary, who.sha256);
    if (pinned === undefined || pinned === who.sha256) return undefined;
    return {
      verdict: "deny",
      rule,
      layer: "binary",
      reason: `${who.binary} is not the file any more that rule ${rule} was first used by`,
      fix: { text: "a person restarts the sandbox to accept the new file" },
    };
  }
}
