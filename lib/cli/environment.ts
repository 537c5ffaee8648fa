import type { Catalogue } from "../blueprint/index.ts";
import { environmentOf, Target, type Environment } from "../constructs/index.ts";
import { loadBlueprint, loadOverlay } from "../pulumi/blueprint-file.ts";
import { loadCatalogue } from "../pulumi/catalogue.ts";
import { blueprintFile, type Context } from "./context.ts";

/** Options of the commands that read a blueprint. */
export interface BlueprintOption {
  readonly blueprint?: string;
  readonly overlay?: string;
}

/** A blueprint file as the construct tree of this environment, with the catalogue that it is resolved against. */
export interface ReadEnvironment {
  readonly environment: Environment;
  readonly catalogue: Catalogue;
}

/** Reads files; starts nothing. */
export function readEnvironment(context: Context, options: BlueprintOption): ReadEnvironment {
  const file = blueprintFile(context, options.blueprint);
  const catalogue = loadCatalogue();
  const environment = environmentOf(loadBlueprint(file, catalogue), {
    environment: context.stack,
    project: context.project,
    target: Target.host(),
    ...(options.overlay !== undefined && { overlay: loadOverlay(options.overlay) }),
  });
  return { environment, catalogue };
}
