/** The public surface: what a team's repository imports. */
import "./needs-node.ts";
export * from "./constructs/index.ts";
export { NacreError, type ErrorParts } from "./error.ts";
export {
  examineBlueprint,
  parseBlueprint,
  readOverlay,
  type Blueprint,
  type Catalogue,
  type Overlay,
  type PolicyDocument,
  type Problem,
  type Sources,
} from "./blueprint/index.ts";
export { synthesizeHost, type HostObjects, type SynthesisOptions } from "./synth/host.ts";
export type { HostSandbox, HostWorkspace } from "./synth/host-objects.ts";
export { renderHost } from "./synth/render.ts";
export { loadBlueprint } from "./pulumi/blueprint-file.ts";
export { loadCatalogue } from "./pulumi/catalogue.ts";
