import type { Configure, Network } from "../egress/protocol.ts";
import type { HostSandbox } from "../synth/host-objects.ts";
import { idOf } from "../synth/host-objects.ts";
import { egressInside } from "./egress-spec.ts";
import { pool } from "./inside.ts";
import type { Operator } from "./operator.ts";
import { unexpired, type Layers } from "./overrides.ts";
import { resolveSecret } from "./secret-source.ts";
import { secretNames, secretRefusals } from "./secret-use.ts";
import type { Trust } from "./trust.ts";

/** The base that is wanted: what a command put in place of the blueprint's, else that. */
export const baseOf = ({ network }: Pick<HostSandbox, "network">, { live }: Pick<Layers, "live">) =>
  live?.network ?? network;

export const networkOf = (
  spec: Pick<HostSandbox, "network">,
  overrides: Layers & { readonly revision: number },
): Network => ({
  revision: overrides.revision,
  base: baseOf(spec, overrides),
  allows: unexpired(overrides.allows),
  blocks: overrides.blocks,
});

export interface Secrets {
  readonly values: Readonly<Record<string, string>>;
  readonly lacking: readonly Lacking[];
}

/** A secret that the sandbox names and that has no value now. */
export interface Lacking {
  readonly secret: string;
  /** The variable that a caller may hand over; undefined for any other reason. */
  readonly variable: string | undefined;
  readonly why: string;
}

/** Reads the sources of the secrets that `spec` names and may have, and no other. */
export async function secretsFor(
  spec: HostSandbox,
  operator: Operator,
  handed: ReadonlyMap<string, string>,
): Promise<Secrets> {
  // The operator may have taken a secret away since it was accepted: then its endpoints answer that it lacks.
  const refusals = secretRefusals(spec, operator);
  if (refusals.length > 0) {
    const lacking = refusals.map((refusal) => ({ secret: "", variable: undefined, why: refusal.toString() }));
    return { values: {}, lacking };
  }
  const values: Record<string, string> = {};
  const lacking: Lacking[] = [];
  for (const name of secretNames(spec)) {
    const entry = operator.secrets[name];
    if (entry === undefined) continue;
    const resolved = await resolveSecret(name, entry, handed);
    if ("value" in resolved) values[name] = resolved.value;
    else lacking.push({ secret: name, variable: entry.env, why: resolved.lacking });
  }
  return { values, lacking };
}

export interface ConfigureParts {
  readonly spec: HostSandbox;
  readonly overrides: Layers & { readonly revision: number };
  readonly operator: Operator;
  readonly secrets: Secrets;
  readonly trust: Trust;
  readonly ports: Configure["ports"];
}

/** The first command of an egress: all that it needs to know, secrets included, over its stdin. */
export function configureOf({ spec, overrides, operator, secrets, trust, ports }: ConfigureParts): Configure {
  return {
    type: "configure",
    sandbox: idOf(spec),
    network: networkOf(spec, overrides),
    grants: [...operator.grants],
    pool: { prefix: pool.prefix },
    inference: spec.inference,
    credentials: Object.fromEntries(
      Object.entries(spec.credentials).map(([name, { for: _hosts, ...credential }]) => [name, credential]),
    ),
    secrets: secrets.values,
    authority: trust.authority,
    ports: [...ports],
    audit: egressInside.audit,
    poolFile: egressInside.poolFile,
    egressSocket: egressInside.socket,
  };
}
