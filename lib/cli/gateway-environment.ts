import type { GatewayDocument } from "../blueprint/index.ts";
import { environmentOf, Gateway, Target } from "../constructs/index.ts";
import { loadBlueprint, loadOverlay } from "../pulumi/blueprint-file.ts";
import { loadCatalogue } from "../pulumi/catalogue.ts";
import { synthesizeGateway, type GatewayObjects } from "../synth/gateway.ts";
import { blueprintFile, type Context } from "./context.ts";
import type { BlueprintOption } from "./environment.ts";

/** The gateway of the environment that a blueprint file describes. Reads files; starts nothing. */
export function readGateway(
  context: Context,
  options: BlueprintOption,
  document: GatewayDocument,
): GatewayObjects {
  const blueprint = loadBlueprint(blueprintFile(context, options.blueprint), loadCatalogue());
  const environment = environmentOf(blueprint, {
    environment: context.stack,
    project: context.project,
    target: Target.gateway(),
    ...(options.overlay !== undefined && { overlay: loadOverlay(options.overlay) }),
  });
  new Gateway(environment, "gateway", document);
  return synthesizeGateway(environment, { project: context.project });
}
