export type * from "./blueprint.ts";
export { canonicalJson, CanonicalTexts, digestOf, digestOfText } from "./canonical.ts";
export { examineText, readText, type Examined } from "./described.ts";
export {
  clusterOf,
  clusterSchema,
  isWide,
  type ClusterDocument,
  type ApiPlace,
  type ClusterSettings,
  type Peer,
} from "./cluster.ts";
export { gatewayOf, gatewaySchema, k3sParts, type GatewayDocument, type GatewaySettings } from "./gateway.ts";
export { isDeferred } from "./deferred.ts";
export { checkAgent, checkProvider, checkTry } from "./checks.ts";
export {
  bindCredentials,
  credentialFindings,
  credentialOf,
  credentialSchema,
  type CredentialDocument,
  type ResolvedCredential,
} from "./credentials.ts";
export { findings } from "./explain.ts";
export { NVIDIA_MODEL, providerOf, ROUTE_TIMEOUT } from "./inference.ts";
export { nameSchema } from "./names.ts";
export { nearest } from "./nearest.ts";
export { misfits, overlaySchema, readOverlay } from "./overlay.ts";
export { examineBlueprint, parseBlueprint, type ExaminedBlueprint } from "./parse.ts";
export { isWithin } from "./paths.ts";
export { portsOf, serverPorts } from "./ports.ts";
export { policyDocumentSchema, type PolicyDocument } from "./policy-document.ts";
export { placeNames, presetSchema, readPolicy, readPreset, readSeccomp } from "./preset.ts";
export { examinePolicy, type ExaminedPolicy } from "./policy-file.ts";
export { formatPolicy, meaningOf } from "./policy-format.ts";
export { positionOf, problemsError, renderPath, type Finding, type Path, type Problem } from "./problem.ts";
export { bytesOf, secondsOf } from "./quantities.ts";
export {
  blueprintReference,
  overlayReference,
  policyReference,
  presetReference,
  referencePage,
} from "./reference.ts";
export { blueprintDigest, environmentDigest, filesOf, resolve, WORKSPACE } from "./resolve.ts";
export type { Files, ResolvedAgent, ResolvedBlueprint, ResolvedRuns } from "./resolve.ts";
export { agentSchema, blueprintSchema, type AgentDocument, type BlueprintDocument } from "./schema.ts";
export { mergeRules } from "./rules.ts";
export { seccompFindings, seccompProfileSchema, type SeccompProfileDocument } from "./seccomp.ts";
export { credentialWarnings, warningsOf } from "./warnings.ts";
