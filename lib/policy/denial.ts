import type { Caller, Denied, Destination } from "./decision.ts";

/** A denial in the shape that agents already act on: what was refused, by which rule, and what would allow it. */
export interface DenialBody {
  readonly error: "policy_denied";
  readonly rule: string | null;
  readonly layer: string;
  readonly detail: string;
  readonly rule_missing: {
    /** `rest_allow`: of a request, which `method` and `path` then name. */
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
    rule_missing: missing === undefined ? null : missingRule(missing, denied.layer, who),
    next_steps: [denied.fix.text],
  };
}

function missingRule(
  { host, port, binary, method, path }: NonNullable<Denied["fix"]["allow"]>,
  layer: string,
  who: Caller,
): DenialBody["rule_missing"] {
  const where = { layer, host, port, binary: binary ?? who.binary ?? null };
  if (method === undefined || path === undefined) return { type: "allow", ...where };
  return { type: "rest_allow", ...where, method, path };
}
