import { Server, ServerCredentials } from "@grpc/grpc-js";
import { engineLog, type EngineLog } from "./engine-log.ts";
import type { Machine } from "./machine.ts";
import { machineKind } from "./machine-kind.ts";
import { messageLimits, providerService } from "./protocol.ts";
import { sandboxKind } from "./sandbox-kind.ts";
import { service, type Kinds } from "./service.ts";
import { workspaceKind } from "./workspace-kind.ts";

export const kindsOf = (machine: Machine): Kinds => ({
  "nacre:host:Machine": machineKind(machine),
  "nacre:host:Workspace": workspaceKind(machine),
  "nacre:host:Sandbox": sandboxKind(machine),
});

/** Serves the provider on a free port of loopback. `engine` is where the engine listens for log messages. */
export async function serve(machine: Machine, engine: string | undefined): Promise<number> {
  const server = new Server(messageLimits);
  let log: EngineLog | undefined;
  server.addService(
    providerService.ResourceProviderService,
    service(kindsOf(machine), () => (log ??= engineLog(engine))),
  );
  return new Promise((done, fail) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
      error === null ? done(port) : fail(error),
    );
  });
}
