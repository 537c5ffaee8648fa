import type { Caller, Denied, Destination } from "./decision.ts";

/** A denial in the shape that agents already act on: what was refused, by which rule, and what would allow it. */
export interface DenialBody {
  readonly error: "policy_denied";
  readonly rule: string | null;
  readonly layer: string;
  readonly detail: string;
  readonly rule_missing: {
    /** `rest_allow`: of a request that was refused where the connection is allowed. */
    readonly type: "allow" | "rest_allow";
    readonly layer: string;
    readonly host: string;
    readonly port: number;
    readonly binary: string | null;
    readonly method?: string;
    readonly path?: string;
  } | null;
  readonly next_steps: readonly string[];
}

export function denialBody(denied: Denied, where: Destination, who: Caller = {}): DenialBody {
  const missing = denied.fix.allow;
  return {
    error: "policy_denied",
    rule: denied.rule ?? null,
    layer: denied.layer,
    detail: `${where.host}:${where.port}: ${denied.reason}`,
    rule_missing:
      missing === undefined
        ? null
        : {
            type: missing.method === undefined ? "allow" : "rest_allow",
            layer: denied.layer,
            host: missing.host,
            port: missing.port,
            binary: missing.binary ?? who.binary ?? null,
            ...(missing.method === undefined ? {} : { method: missing.method, path: missing.path ?? "/" }),
          },
    next_steps: [denied.fix.text],
  };
}
