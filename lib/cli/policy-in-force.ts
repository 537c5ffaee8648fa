import { compile, type CompiledPolicy } from "../policy/compile.ts";

/** The policy that is in force for a sandbox, with the allows and blocks above it. */
export async function policyInForce(id: string): Promise<CompiledPolicy> {
  const { connect } = await import("./daemon.ts");
  const { network, allows, blocks } = await (await connect()).call("policy.get", { id });
  return compile({ base: network, allows: allows.filter(({ until }) => until > Date.now()), blocks });
}
