import type { Machine } from "./machine.ts";
import { machineKind } from "./machine-kind.ts";
import { sandboxKind } from "./sandbox-kind.ts";
import type { Kinds } from "./service.ts";
import { workspaceKind } from "./workspace-kind.ts";

/** Every resource of this provider. */
export const kindsOf = (machine: Machine): Kinds => ({
  "nacre:host:Machine": machineKind(machine),
  "nacre:host:Workspace": workspaceKind(machine),
  "nacre:host:Sandbox": sandboxKind(machine),
});
