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
export { renderHost } from "./synth/host-render.ts";
export {
  synthesizeKubernetes,
  type ChartObject,
  type KubernetesObjects,
  type KubernetesOptions,
  type Manifest,
  type Refusal,
} from "./synth/kubernetes.ts";
export { renderKubernetes } from "./synth/kubernetes/render.ts";
export { loadBlueprint } from "./pulumi/blueprint-file.ts";
export { loadCatalogue } from "./pulumi/catalogue.ts";
