export { AgentKit } from "./agent-kit.ts";
export { AgentSandbox } from "./agent-sandbox.ts";
export type { AgentSandboxProps } from "./agent-sandbox-props.ts";
export { Aspects, invokeAspects, type Aspect } from "./aspects.ts";
export { Binary } from "./binary.ts";
export { Command } from "./command.ts";
export { Egress } from "./egress.ts";
export { Environment, environmentOf, type EnvironmentProps } from "./environment.ts";
export { EscapeHatch, type Hatch, type HatchProps, type PatchOperation } from "./escape-hatch.ts";
export { Gateway } from "./gateway.ts";
export { Inference, type InferenceOptions } from "./inference.ts";
export { Isolation, type WallsOf } from "./isolation.ts";
export { Namespace, type NamespaceProps } from "./namespace.ts";
export { Preset } from "./preset.ts";
export { PrivacyRouter, type PrivacyRouterProps } from "./privacy-router.ts";
export { LandlockProfile, SeccompProfile, type LandlockProps } from "./profiles.ts";
export { Resources, type ResourcesProps } from "./resources.ts";
export { Route } from "./route.ts";
export { Secret } from "./secret.ts";
export { isSteering } from "./steering.ts";
export {
  Target,
  type ClusterTarget,
  type GatewayTarget,
  type HostTarget,
  type KubernetesTarget,
} from "./target.ts";
export { offerOf, targetReference, walls, type Enforcement, type Offer, type Wall } from "./walls.ts";
