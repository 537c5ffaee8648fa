import { NacreError } from "../error.ts";
import { compile, type CompiledPolicy } from "../policy/compile.ts";

/**
 * The policy that is in force for a sandbox, with what lies above it.
 *
 * SEAM: the daemon's `policy.get` answers this once it is there; until then the base is read from the sandbox's spec,
 * and allows and blocks above it are not seen.
 */
export async function policyInForce(id: string): Promise<CompiledPolicy> {
  const { connect } = await import("./daemon.ts");
  const reading = await (await connect()).call("sandbox.read", { id });
  if (reading === null)
    throw new NacreError({
      code: "sandbox_unknown",
      subject: `sandbox ${id}`,
      message: "there is none on this machine",
      hint: "nacre status shows them",
    });
  return compile({ base: reading.spec.network, allows: [], blocks: [] });
}
