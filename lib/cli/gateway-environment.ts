import type { GatewayDocument } from "../blueprint/index.ts";
import { synthesizeGateway, type GatewayObjects } from "../synth/gateway.ts";
import { isInGateway } from "../pulumi/stack-environment.ts";
import type { Context } from "./context.ts";
import { readEnvironment, type BlueprintOption } from "./environment.ts";

/** The gateway of the environment that a blueprint file or a module describes. Starts nothing. */
export async function readGateway(
  context: Context,
  options: BlueprintOption,
  document: GatewayDocument,
): Promise<GatewayObjects> {
  const { environment } = await readEnvironment(context, { ...options, target: "gateway" });
  if (!isInGateway(environment)) throw new RangeError("the target is a gateway");
  environment.gateway?.override(document);
  return synthesizeGateway(environment, { project: context.project });
}
