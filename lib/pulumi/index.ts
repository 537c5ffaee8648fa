/** Nacre in a Pulumi program. */
import "../needs-node.ts";
export { deploy } from "./deploy.ts";
export { Outputs } from "./outputs.ts";
export { deployHost, HostEnvironment } from "./host.ts";
export {
  Machine,
  Sandbox,
  Workspace,
  type MachineArgs,
  type SandboxArgs,
  type WorkspaceArgs,
} from "./resources.ts";
