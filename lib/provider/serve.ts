import { Server, ServerCredentials } from "@grpc/grpc-js";
import { engineLog, type EngineLog } from "./engine-log.ts";
import type { Machine } from "./machine.ts";
import { messageLimits, providerService } from "./protocol.ts";
import { service, type Kinds } from "./service.ts";

/**
 * Serves the provider on a free port of loopback. `engine` is where the engine listens for log messages. What the kinds
 * need is loaded once it listens: the engine waits for the port, and asks for other things first.
 */
export async function serve(machine: Machine, engine: string | undefined): Promise<number> {
  const server = new Server(messageLimits);
  let log: EngineLog | undefined;
  let loaded: Promise<Kinds> | undefined;
  const kinds = (): Promise<Kinds> =>
    (loaded ??= import("./kinds.ts").then(({ kindsOf }) => kindsOf(machine)));
  server.addService(
    providerService.ResourceProviderService,
    service(kinds, () => (log ??= engineLog(engine))),
  );
  return new Promise((done, fail) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
      if (error !== null) fail(error);
      else done(port);
      setImmediate(() => void kinds().catch(() => undefined)); // Whoever asks is told.
    });
  });
}
