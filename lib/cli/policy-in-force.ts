import { compile, type CompiledPolicy } from "../policy/compile.ts";

/** The policy that is wanted of a sandbox, with the allows and blocks above it. @throws NacreError `sandbox_unknown` */
export async function policyInForce(id: string): Promise<CompiledPolicy> {
  const { connect } = await import("./daemon.ts");
  const { network, allows, blocks } = await (await connect()).call("policy.get", { id });
  return compile({ base: network, allows, blocks });
}
