/** The public surface: what a team's repository imports. */
import "./needs-node.ts";
export * from "./constructs/index.ts";
export { NacreError, type ErrorParts } from "./error.ts";
export {
  examineBlueprint,
  parseBlueprint,
  readOverlay,
  type AgentSpec,
  type Blueprint,
  type Catalogue,
  type ClusterDocument,
  type ClusterSettings,
  type CredentialSpec,
  type GatewayDocument,
  type GatewaySettings,
  type IsolationLevel,
  type Overlay,
  type PolicyDocument,
  type Problem,
  type Requirement,
  type ResourcesSpec,
  type Restart,
  type RouteSpec,
  type SeccompProfileDocument,
  type Sources,
  type Walls,
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
export {
  synthesizeGateway,
  type GatewayContainer,
  type GatewayFile,
  type GatewayNetwork,
  type GatewayObjects,
  type GatewayOptions,
  type GatewayVolume,
} from "./synth/gateway.ts";
export { renderGateway } from "./synth/gateway/render.ts";
export { renderEnvironment, type RenderedEnvironment, type RenderOptions } from "./synth/environment.ts";
export { loadBlueprint } from "./pulumi/blueprint-file.ts";
export type { Program, StackProps } from "./pulumi/stack-environment.ts";
export { loadCatalogue } from "./pulumi/catalogue.ts";
