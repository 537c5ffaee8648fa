/** Nacre in a Pulumi program. */
export { deployHost, HostEnvironment } from "./host.ts";
export {
  Machine,
  Sandbox,
  Workspace,
  type MachineArgs,
  type SandboxArgs,
  type WorkspaceArgs,
} from "./resources.ts";
