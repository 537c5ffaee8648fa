import { stateDirectory } from "../host/paths.ts";
import { lateGateways, type Gateways } from "./gateways.ts";
import { kubeconfigKind } from "./kubeconfig-kind.ts";
import type { Machine } from "./machine.ts";
import { machineKind } from "./machine-kind.ts";
import { sandboxKind } from "./sandbox-kind.ts";
import type { Kinds } from "./service.ts";
import { workspaceKind } from "./workspace-kind.ts";

/** Every resource of this provider. */
export const kindsOf = (machine: Machine, gateways: Gateways = ownGateways()): Kinds => ({
  "nacre:host:Machine": machineKind(machine),
  "nacre:host:Workspace": workspaceKind(machine),
  "nacre:host:Sandbox": sandboxKind(machine),
  "nacre:gateway:Kubeconfig": kubeconfigKind(gateways),
});

const ownGateways = (): Gateways =>
  lateGateways(async () => {
    const { DockerGateways } = await import("./docker-gateways.ts");
    return new DockerGateways(stateDirectory());
  });
