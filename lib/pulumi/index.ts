/** Nacre in a Pulumi program. */
import "../needs-node.ts";
export { deploy, deployStack, type DeployStackOptions } from "./deploy.ts";
export { Outputs } from "./outputs.ts";
export { deployHost, HostEnvironment } from "./host.ts";
export type { StackConfig } from "./stack-config.ts";
export type { Program, StackProps } from "./stack-environment.ts";
export {
  Machine,
  Sandbox,
  Workspace,
  type MachineArgs,
  type SandboxArgs,
  type WorkspaceArgs,
} from "./resources.ts";
